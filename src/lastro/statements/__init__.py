"""Statements and receipts: what happened to an account's money, as JSON and as the files that accountants use."""
