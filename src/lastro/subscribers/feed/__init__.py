"""The news in their order, for those who come and ask."""
