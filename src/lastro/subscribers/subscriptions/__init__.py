"""Endpoints of tenants that want to be told of the news."""
