"""Refunds: Pix that our customers received and give back, whole or in part."""
