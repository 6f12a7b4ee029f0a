"""Promises to the outside world, made in the same transaction as the effect and kept by the worker."""
