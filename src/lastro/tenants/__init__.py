"""Who rents the bank."""
