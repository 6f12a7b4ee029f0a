"""Who may use the API: clients, tokens, and the way from one to the other (OAuth)."""
