"""Transfers between two accounts of one tenant: they settle in the ledger, at once, and no network is told."""
