"""Recomputes the books from history. It imports nothing of what it checks, so that no bug can vouch for itself."""
