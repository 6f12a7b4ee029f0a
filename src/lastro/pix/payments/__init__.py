"""Pix that our customers send.

`service` takes orders and answers questions; `acceptance` carries out many orders in one transaction, with the
verdicts of `rules`; `settlement` is what the worker does with them afterwards; `returns` takes money back.
"""
