"""The network speaks to us: verified, translated, deduplicated, answered."""
