"""The providers of a tenant."""
