"""Random letters and digits, for ids that others must not be able to guess."""

import secrets
import string

# Every byte stands for one of 62 characters. 256 is not a multiple of 62, so eight of them are a little more
# frequent; that costs less than 0.01 bits a character, and saves the arithmetic of an even choice.
_ALPHABET = (string.digits + string.ascii_letters).encode()
_CHARACTER_OF_BYTE = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))


def letters_and_digits(count: int) -> str:
    """So many of them, nearly six bits each. The system is asked once, not once a character."""
    return secrets.token_bytes(count).translate(_CHARACTER_OF_BYTE).decode()
