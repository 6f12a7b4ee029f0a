"""Gives strangers' bytes to a program in small processes of its own: what breaks there breaks nothing here."""

import asyncio
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary

from lastro.errors import Unavailable
from lastro.values.text import Text

PROCESSES = 2
DEADLINE_SECONDS = 20.0
START_SECONDS = 20.0
MOST_FRAMES = 200  # of one process: whatever leaks, leaks that often

_BUSY = Text("Não foi possível processar agora. Tente de novo.", "It can not be processed now. Try again.")


class Broken(Exception):
    """The program died of this frame: it took too much memory or processor time, or found a hole."""


class Isolated:
    """Up to two long-lived processes of one program, started when they are needed; each does one frame at a time.

    The program is a file that reads frames from standard input and answers each on standard output: four bytes of
    length, then the content. An empty frame says that it is ready. It runs without our environment, our modules and
    our memory.
    """

    def __init__(self, program: Path, *, processes: int = PROCESSES) -> None:
        """Start nothing yet."""
        self._program = program
        self._turns = asyncio.Semaphore(processes)
        self._queues: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()

    async def ask(self, frame: bytes, *, on_behalf_of: Hashable | None = None) -> bytes:
        """The program's answer. Raises Broken when it died of the frame, Unavailable when it was not done in time.

        Nobody has more than one process at a time, however much he asks: others wait for one of his frames at most.
        Without a name, each frame is somebody else's.
        """
        queue = asyncio.Lock() if on_behalf_of is None else self._queues.setdefault(on_behalf_of, asyncio.Lock())
        async with queue, self._turns:
            child = self._idle.pop() if self._idle else await self._start()
            try:
                answer = await child.ask(frame)
            except BaseException:  # cancelled half-way, too: whatever it would say next belongs to nobody
                await self._end(child)
                raise
            if child.frames >= MOST_FRAMES:
                await self._end(child)
            else:
                self._idle.append(child)
            return answer

    async def close(self) -> None:
        """End every process."""
        self._idle.clear()
        for child in list(self._all):
            await self._end(child)

    async def _start(self) -> "_Child":
        try:
            process = await asyncio.create_subprocess_exec(
                # Isolated: no PYTHON… variables, no directory of ours on the path.
                *(sys.executable, "-I", "-B", str(self._program)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=None if sys.platform == "win32" else {},
                limit=1 << 20,
            )
        except OSError as error:
            raise Unavailable(_BUSY, retry_after=5) from error
        child = _Child(process)
        self._all.add(child)
        try:
            await child.hear(START_SECONDS)
        except BaseException as error:
            await self._end(child)
            if isinstance(error, Broken):  # nobody's frame is to blame
                raise Unavailable(_BUSY, retry_after=5) from error
            raise
        return child

    async def _end(self, child: "_Child") -> None:
        self._all.discard(child)
        await asyncio.shield(child.end())


class _Child:
    """One process."""

    def __init__(self, process: Process) -> None:
        self.frames = 0
        self._process = process

    async def ask(self, frame: bytes) -> bytes:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self.frames += 1
        with suppress(ConnectionError):  # it is dead, which the answer will tell
            self._process.stdin.write(struct.pack(">I", len(frame)) + frame)
        return await self.hear(DEADLINE_SECONDS)

    async def hear(self, seconds: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            async with asyncio.timeout(seconds):
                (length,) = struct.unpack(">I", await self._process.stdout.readexactly(4))
                return await self._process.stdout.readexactly(length)
        except TimeoutError as error:
            raise Unavailable(_BUSY, retry_after=5) from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Broken from error

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.close()
        with suppress(OSError):
            await self._process.stdin.wait_closed()
        with suppress(OSError, RuntimeError):  # somebody else reads it to the end
            await self._process.stdout.read()  # only then does asyncio close what it holds of the process
