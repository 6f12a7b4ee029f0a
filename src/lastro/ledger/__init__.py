"""The double-entry ledger: two tables, one verb. `movements` says what can be said, `book` is the only writer."""
