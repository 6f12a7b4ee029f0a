"""Asking the directory who stands behind a key, within budgets that are stricter than the directory's own."""
