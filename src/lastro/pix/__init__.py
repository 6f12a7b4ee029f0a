"""Pix: payments that our customers send, transfers that they receive."""
