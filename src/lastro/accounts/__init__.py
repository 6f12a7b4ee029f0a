"""Bank accounts: opening, reading, changing, blocking, closing."""
