"""Pix that our customers receive."""
