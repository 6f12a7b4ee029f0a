"""Lastro: a Banking-as-a-Service server for Brazil, on a double-entry ledger in Postgres."""
