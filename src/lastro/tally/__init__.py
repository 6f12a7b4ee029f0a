"""What the lists count, kept beside the rows: exact totals that cost the same at any size."""
