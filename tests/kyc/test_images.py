"""What is taken as a document's side and what is not, decoded in processes that may die of it."""

import asyncio
import io
import os
import random
import signal
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from kyc.pictures import PDF, bomb, chunk, picture, png, text
from lastro import isolated
from lastro.errors import Unavailable
from lastro.isolated import Broken, Isolated
from lastro.kyc import images, limited
from lastro.kyc.images import LARGEST, MediaType, Side, decoded, judged
from lastro.values.text import Invalid


@pytest.fixture(scope="module")
async def processes() -> AsyncIterator[Isolated]:
    made = Isolated(Path(limited.__file__))
    yield made
    await made.close()


def shown(side: Side) -> Image.Image:
    return Image.open(io.BytesIO(side.content))


# Base64


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_base64_with_its_padding_is_read(size: int) -> None:
    assert decoded(text(b"\xff" * size)) == b"\xff" * size


@pytest.mark.parametrize(
    "junk",
    [
        "...",
        "",
        "=",
        "====",
        "AAA",
        "AAAA=",
        "AA=A",
        "AA==AA==",
        "AB==",  # bits that mean nothing
        "AAAA\n",
        " AAAA",
        "AA AA",
        "__-_",
        "data:image/png;base64,AAAA",
        "ÀAAA",
        "\uff21AAA",
    ],
)
def test_whatever_else_is_not(junk: str) -> None:
    with pytest.raises(Invalid):
        decoded(junk)


def test_five_megabytes_are_read_and_one_byte_more_is_not() -> None:
    assert len(decoded(text(b"x" * LARGEST))) == LARGEST
    with pytest.raises(Invalid, match="5 MB"):
        decoded(text(b"x" * (LARGEST + 1)))
    with pytest.raises(Invalid, match="5 MB"):
        decoded("!" * 10_000_000)


# Pictures


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
async def test_a_jpeg_stays_a_jpeg(processes: Isolated, mode: str) -> None:
    side = await judged(processes, text(picture("JPEG", (40, 60), mode)), pdf=False)

    assert (side.media_type, side.width, side.height) == (MediaType.JPEG, 40, 60)
    assert (shown(side).format, shown(side).size) == ("JPEG", (40, 60))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "I;16"])
async def test_a_png_stays_a_png(processes: Isolated, mode: str) -> None:
    side = await judged(processes, text(picture("PNG", (40, 60), mode)), pdf=True)

    assert (side.media_type, side.width, side.height) == (MediaType.PNG, 40, 60)
    assert shown(side).mode in {"L", "RGB"}


async def test_what_is_transparent_is_white(processes: Isolated) -> None:
    side = await judged(processes, text(picture("PNG", (32, 32), "RGBA")), pdf=False)

    assert shown(side).getpixel((31, 31)) == (255, 255, 255)


async def test_place_and_camera_are_stripped_and_the_picture_stands_upright(processes: Isolated) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "A camera with a name"
    exif.get_ifd(0x8825)[2] = (23.0, 33.0, 1.0)
    sent = picture("JPEG", (40, 60), exif=exif, icc_profile=b"a profile " * 99, comment=b"a comment")
    assert b"A camera with a name" in sent

    side = await judged(processes, text(sent), pdf=False)

    assert (side.width, side.height) == (60, 40)
    kept = shown(side)
    assert not kept.getexif()
    assert not {"exif", "icc_profile", "comment"} & set(kept.info)
    for trace in (b"Exif", b"camera", b"profile", b"comment"):
        assert trace not in side.content


async def test_words_beside_a_png_are_stripped(processes: Isolated) -> None:
    extra = chunk(b"tEXt", b"Author\x00Somebody") + chunk(b"zTXt", b"Long\x00\x00" + zlib.compress(b"words" * 99))
    sent = png(32, 32, rows=b"\x00" * 32 * 33, extra=extra)

    side = await judged(processes, text(sent), pdf=False)

    assert b"Somebody" not in side.content
    assert b"tEXt" not in side.content
    assert b"zTXt" not in side.content


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_what_hangs_behind_a_picture_is_cut_off(processes: Isolated, kind: str) -> None:
    sent = picture(kind) + b"PK\x03\x04<script>alert(1)</script>"

    side = await judged(processes, text(sent), pdf=False)

    assert b"script" not in side.content
    assert b"PK\x03\x04" not in side.content


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>'


@pytest.mark.parametrize(
    "junk",
    [
        b"hello",
        SVG,
        b"<html></html>",
        b"PK\x03\x04" + bytes(100),
        picture("GIF"),
        picture("TIFF"),
        picture("BMP"),
        picture("WEBP"),
        picture("EPS"),
        b"\xff\xd8\xff" + picture("GIF"),  # renamed, with a JPEG's first bytes
        b"\x89PNG\r\n\x1a\n" + SVG,
        b"\xff\xd8\xff\xe0" + bytes(1000),
        picture("JPEG", (400, 400))[:-200],
        picture("PNG", (400, 400))[:-30],
        picture("PNG", (31, 32)),
        picture("JPEG", (32, 31)),
        png(32, 32, rows=b"\x00" * 100),  # fewer rows than it says
        png(0, 32),
        png(2**31 - 1, 2**31 - 1),
        PDF,
        b"",
    ],
    ids=lambda junk: repr(junk[:12]),
)
async def test_what_is_no_picture_is_refused(processes: Isolated, junk: bytes) -> None:
    with pytest.raises(Invalid):
        await judged(processes, text(junk), pdf=False)


async def test_a_picture_that_moves_is_refused(processes: Isolated) -> None:
    frames = [Image.new("L", (32, 32), shade) for shade in (0, 200)]
    written = io.BytesIO()
    frames[0].save(written, "PNG", save_all=True, append_images=frames[1:])

    with pytest.raises(Invalid):
        await judged(processes, text(written.getvalue()), pdf=False)


def noise(pixels: int) -> bytes:
    return random.Random(1).randbytes(pixels)


async def test_a_picture_that_grows_when_it_is_written_anew_becomes_a_jpeg(processes: Isolated) -> None:
    made = Image.frombytes("RGB", (1600, 1500), noise(1600 * 1500 * 3))
    written = io.BytesIO()
    made.quantize(256, dither=Image.Dither.NONE).save(written, "PNG")
    assert len(written.getvalue()) < LARGEST

    side = await judged(processes, text(written.getvalue()), pdf=False)

    assert (side.media_type, side.width, side.height) == (MediaType.JPEG, 1600, 1500)
    assert len(side.content) <= LARGEST


# PDF


async def test_a_pdf_is_kept_as_it_is_where_it_may_be_one(processes: Isolated) -> None:
    side = await judged(processes, text(PDF), pdf=True)

    assert side == Side(PDF, MediaType.PDF, None, None)
    assert len(side.sha256) == 32


@pytest.mark.parametrize(
    "junk", [b" " + PDF, PDF + b" " * 1100, PDF[:-6], b"%PDF-3.0\n%%EOF", b"%PDF", b"<html>" + PDF, picture("GIF")]
)
async def test_and_what_only_looks_like_one_is_refused(processes: Isolated, junk: bytes) -> None:
    with pytest.raises(Invalid):
        await judged(processes, text(junk), pdf=True)


# Bombs


def peak_memory(process: int) -> int:
    """In bytes, since it began."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def children_of(made: Isolated) -> list[int]:
    return [child._process.pid for child in made._all]


@pytest.mark.parametrize("side", [5_001, 20_000])
async def test_too_many_pixels_are_refused_before_they_are_decoded(side: int) -> None:
    """Twenty-seven kilobytes that would be 400 megapixels."""
    made = Isolated(Path(limited.__file__), processes=1)
    await judged(made, text(picture()), pdf=False)
    (child,) = children_of(made)
    before = peak_memory(child)
    sent = png(side, side, rows=b"\x00" * 27_000_000) if side == 20_000 else bomb(side)

    with pytest.raises(Invalid):
        await judged(made, text(sent), pdf=False)

    assert children_of(made) == [child]
    assert peak_memory(child) - before < 30_000_000
    await made.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("exif", [1, 6])
async def test_the_largest_picture_is_decoded_within_bounds(exif: int) -> None:
    made = Isolated(Path(limited.__file__), processes=1)
    turned = Image.Exif()
    turned[0x0112] = exif
    written = io.BytesIO()
    Image.new("RGB", (5_000, 5_000)).save(written, "JPEG", exif=turned, progressive=True)

    side = await judged(made, text(written.getvalue()), pdf=False)

    assert (side.width, side.height) == (5_000, 5_000)
    assert peak_memory(children_of(made)[0]) < 500_000_000
    await made.close()


@pytest.mark.parametrize("word", [b"zTXt", b"iCCP", b"iTXt"])
async def test_a_bomb_beside_the_picture_does_not_go_off(processes: Isolated, word: bytes) -> None:
    packed = zlib.compress(bytes(100_000_000), 9)
    head = b"x\x00\x01\x00\x00\x00" if word == b"iTXt" else b"x\x00\x00"
    sent = png(32, 32, rows=b"\x00" * 32 * 33, extra=chunk(word, head + packed))

    with pytest.raises(Invalid):
        await judged(processes, text(sent), pdf=False)

    assert all(peak_memory(child) < 300_000_000 for child in children_of(processes))


# The processes


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that does what the frame says."""
    path = tmp_path / "program.py"
    path.write_text(
        "import os, struct, sys, time\n"
        "def say(b): sys.stdout.buffer.write(struct.pack('>I', len(b)) + b); sys.stdout.buffer.flush()\n"
        "say(b'')\n"
        "while len(n := sys.stdin.buffer.read(4)) == 4:\n"
        "    word = sys.stdin.buffer.read(struct.unpack('>I', n)[0])\n"
        "    if word == b'die': os._exit(3)\n"
        "    if word == b'sleep': time.sleep(60)\n"
        "    if word == b'nap': time.sleep(0.5)\n"
        "    if word == b'environment': say(repr(sorted(os.environ)).encode())\n"
        "    elif word == b'pid': say(str(os.getpid()).encode())\n"
        "    else: say(word)\n"
    )
    return path


async def test_a_process_that_dies_is_replaced(program: Path) -> None:
    made = Isolated(program, processes=1)
    first = await made.ask(b"pid")

    with pytest.raises(Broken):
        await made.ask(b"die")

    assert await made.ask(b"pid") != first
    await made.close()


async def test_a_process_that_was_killed_meanwhile_is_replaced(program: Path) -> None:
    made = Isolated(program, processes=1)
    os.kill(int(await made.ask(b"pid")), signal.SIGKILL)

    with pytest.raises(Broken):
        await made.ask(b"hello")

    assert await made.ask(b"hello") == b"hello"
    await made.close()


async def test_who_takes_too_long_is_killed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "DEADLINE_SECONDS", 0.2)
    made = Isolated(program, processes=1)
    pid = int(await made.ask(b"pid"))

    with pytest.raises(Unavailable):
        await made.ask(b"sleep")

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert await made.ask(b"hello") == b"hello"
    await made.close()


async def test_an_asker_that_leaves_takes_the_process_along(program: Path) -> None:
    made = Isolated(program, processes=1)
    await made.ask(b"pid")
    asking = asyncio.create_task(made.ask(b"sleep"))
    await asyncio.sleep(0.05)

    asking.cancel()
    await asyncio.wait([asking])

    assert await made.ask(b"hello") == b"hello"
    await made.close()


async def test_no_process_lives_for_ever(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "MOST_FRAMES", 2)
    made = Isolated(program, processes=1)

    pids = [await made.ask(b"pid") for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]
    await made.close()


async def test_there_are_never_more_than_it_may_have(program: Path) -> None:
    made = Isolated(program, processes=2)

    answers = await asyncio.gather(*(made.ask(b"pid") for _ in range(20)))

    assert len(set(answers)) <= 2
    await made.close()
    assert children_of(made) == []


async def test_who_asks_much_keeps_nobody_else_waiting(program: Path) -> None:
    made = Isolated(program, processes=2)
    await asyncio.gather(made.ask(b"pid"), made.ask(b"pid"))  # both are warm
    done: list[str] = []

    async def ask(frame: bytes, name: str) -> None:
        await made.ask(frame, on_behalf_of=name)
        done.append(name)

    greedy = [asyncio.create_task(ask(b"nap", "greedy")) for _ in range(4)]
    await asyncio.sleep(0)
    await ask(b"hello", "modest")

    assert done == ["modest"]
    await asyncio.gather(*greedy)
    await made.close()


async def test_it_sees_nothing_of_our_environment(program: Path) -> None:
    made = Isolated(program)
    assert b"LASTRO" not in await made.ask(b"environment")
    assert b"HOME" not in await made.ask(b"environment")
    await made.close()


async def test_a_program_that_does_not_start_is_nobodys_fault(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit(1)")
    made = Isolated(tmp_path / "broken.py")

    with pytest.raises(Unavailable):
        await made.ask(b"hello")
    await made.close()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limits")
@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("open('/etc/passwd')", "OSError"),
        ("__import__('socket').socket()", "OSError"),
        ("bytearray(limited.MEMORY_BYTES)", "MemoryError"),
        ("exec('while True: pass')", "killed"),
    ],
)
async def test_the_limits_hold(attempt: str, outcome: str, tmp_path: Path) -> None:
    """The limits of the real program, with a picture in place of which something is tried."""
    program = tmp_path / "tries.py"
    program.write_text(
        "import importlib.util, socket, sys\n"
        f"spec = importlib.util.spec_from_file_location('limited', {limited.__file__!r})\n"
        "limited = importlib.util.module_from_spec(spec); spec.loader.exec_module(limited)\n"
        "limited.CPU_SECONDS = 1\n"
        "def answer(frame):\n"
        f"    try: {attempt}\n"
        "    except BaseException as error: return b' '.join(k.__name__.encode() for k in type(error).__mro__)\n"
        "    return b'nothing stopped it'\n"
        "warm = limited._warm_up\n"
        "def warmed(): warm(); limited.answer = answer\n"
        "limited._warm_up = warmed\n"
        "limited.main()\n"
    )
    made = Isolated(program, processes=1)
    if outcome == "killed":
        with pytest.raises(Broken):
            await made.ask(b"x")
    else:
        assert outcome in (await made.ask(b"x")).decode().split()
    await made.close()


def test_the_program_knows_nothing_of_the_bank() -> None:
    source = Path(limited.__file__).read_text()
    assert "import lastro" not in source
    assert "from lastro" not in source
    assert limited.LARGEST_RESULT == images.LARGEST
