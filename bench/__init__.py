"""`python -m bench`: how fast the bank is, beside what the same Postgres can do at most, on this machine, now."""
