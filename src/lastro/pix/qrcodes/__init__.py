"""QR codes: made for our customers, read for them."""
