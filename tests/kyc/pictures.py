"""Pictures for the tests, small and hostile ones."""

import base64
import io
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image


def text(content: bytes) -> str:
    """As it travels."""
    return base64.b64encode(content).decode()


def picture(kind: str = "PNG", size: tuple[int, int] = (32, 32), mode: str = "RGB", **options: Any) -> bytes:
    """A picture of one colour but for its upper left corner."""
    made = Image.new(mode, size)
    made.putpixel((0, 0), 1 if mode in {"1", "P"} else tuple([200] * len(made.getbands())))
    written = io.BytesIO()
    made.save(written, kind, **options)
    return written.getvalue()


@cache
def tiny() -> str:
    """The smallest picture that is taken, as it travels."""
    return text(picture())


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *, rows: bytes = b"", extra: bytes = b"") -> bytes:
    """A grey PNG of any size that it claims, whatever it holds."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def bomb(side: int) -> bytes:
    """Black, side by side: it shrinks to next to nothing."""
    return png(side, side, rows=b"\x00" * (side * (side + 1)))


PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\nstartxref\n0\n%%EOF\n"
