"""The news: what happened, frozen as it was when it happened."""
