"""QR codes: made for our customers, read for them.

`service` makes codes and finds them again; `decoding` says what a text that somebody holds asks to be paid, with the
verdicts of `rules`; `foreign` fetches the charges of other banks; `publishing` shows ours to them; `image` draws.
"""
