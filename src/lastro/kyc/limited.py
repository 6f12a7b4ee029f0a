"""A program of its own, run in a limited process: turns a stranger's picture into a new one, or says that it is none.

It reads frames from standard input (four bytes of length, then one letter for the format and the picture) and answers
each with a frame: a letter, then the new picture behind its format and dimensions. It knows the standard library and
Pillow alone, so that nothing of the bank is in its memory. Before the first frame it gives up what it will not need:
memory, processor time, and every further file or connection.
"""

import io
import signal
import struct
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from PIL import Image, ImageOps, JpegImagePlugin, MpoImagePlugin, PngImagePlugin

# Windows has no such module: the deadline of whoever asks is all there is.
resource: Any = import_module("resource") if find_spec("resource") else None

MEMORY_BYTES = 640 * 1024 * 1024  # of addresses, not of memory in use; Python and Pillow alone take a quarter
CPU_SECONDS = 6
MOST_PIXELS = 25_000_000
LEAST_SIDE = 32
LARGEST_RESULT = 5 * 1024 * 1024
JPEG, PNG = b"J", b"P"
GOOD, BAD, TOO_MUCH = b"G", b"B", b"M"

_FORMATS = {JPEG: ("JPEG", "MPO"), PNG: ("PNG",)}
_QUALITIES = (90, 75, 60, 40)
_PLUGINS = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin)  # loaded now: later no file can be opened


def renewed(letter: bytes, picture: bytes) -> bytes:
    """The same picture, encoded anew: upright, one frame, and nothing beside its pixels. Raises what Pillow raises."""
    with Image.open(io.BytesIO(picture), formats=_FORMATS[letter][:1]) as opened:
        if opened.format not in _FORMATS[letter] or opened.width * opened.height > MOST_PIXELS:
            raise ValueError("another format, or too many pixels")
        if letter == PNG and getattr(opened, "n_frames", 1) != 1:
            raise ValueError("it moves")
        if min(opened.size) < LEAST_SIDE:
            raise ValueError("too small to show anything")
        opened.load()
        ImageOps.exif_transpose(opened, in_place=True)
        flat = _flat(opened)
    return _encoded(letter, flat)


def _flat(picture: Image.Image) -> Image.Image:
    """Grey or colour on white, without palettes, transparency or depth beyond eight bits."""
    if picture.mode in {"1", "L"} and "transparency" not in picture.info:
        return picture.convert("L")
    if picture.mode.startswith("I"):  # sixteen bits of grey
        return picture.point(lambda value: value / 256).convert("L")
    if picture.mode in {"LA", "RGBA", "PA", "La", "RGBa"} or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture)
        return white
    return picture.convert("RGB")


def _encoded(letter: bytes, picture: Image.Image) -> bytes:
    # Not `picture.copy()`: a new picture would carry `info` along. Only what is named here is written.
    picture.info.clear()
    content = b""
    if letter == PNG:
        content = _written(picture, "PNG")
    if letter == JPEG or len(content) > LARGEST_RESULT:
        letter = JPEG
        for quality in _QUALITIES:
            content = _written(picture, "JPEG", quality=quality)
            if len(content) <= LARGEST_RESULT:
                break
    if len(content) > LARGEST_RESULT:
        raise ValueError("too large, whatever is done")
    return letter + struct.pack(">II", *picture.size) + content


def _written(picture: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def answer(frame: bytes) -> bytes:
    """What is answered to one frame; never raises for a bad picture."""
    try:
        return GOOD + renewed(frame[:1], frame[1:])
    except MemoryError:
        return TOO_MUCH
    except Exception:  # noqa: BLE001 - Pillow raises whatever comes to its mind: SyntaxError, struct.error, KeyError …
        return BAD


def _warm_up() -> None:
    """Load every lazily loaded part while files can still be opened."""
    upside_down = Image.Exif()
    upside_down[0x0112] = 3
    for mode, kind, letter in (("RGB", "JPEG", JPEG), ("L", "PNG", PNG), ("RGBA", "PNG", PNG), ("P", "PNG", PNG)):
        picture = Image.new(mode, (LEAST_SIDE, LEAST_SIDE))
        assert answer(letter + _written(picture, kind, exif=upside_down))[:1] == GOOD  # noqa: S101 - or no photo would
    answer(JPEG + b"\xff\xd8\xff")


def _give_up() -> None:
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # what is open is all that there will be


def _allow_some_time() -> None:
    """So much processor time for the next picture; past it, the system kills this process."""
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 1, hard))


def main() -> None:
    """Answer frames until standard input ends, which it does when the bank's process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the bank, which then closes our input
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    _warm_up()
    _give_up()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    target.write(struct.pack(">I", 0))  # ready
    target.flush()
    while len(length := source.read(4)) == 4:  # noqa: PLR2004
        frame = source.read(struct.unpack(">I", length)[0])
        _allow_some_time()
        answered = answer(frame)
        target.write(struct.pack(">I", len(answered)) + answered)
        target.flush()


if __name__ == "__main__":
    main()
