"""What was told to whom, and how it went."""
