"""The conditions of a run: the machine, the versions, what a flush to the disk costs. No host names, no paths."""

import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import asyncpg

ROOT = Path(__file__).resolve().parents[1]
MUST_BE_ON = ("fsync", "synchronous_commit", "full_page_writes")
_SHOWN = (*MUST_BE_ON, "data_checksums", "shared_buffers", "max_wal_size", "wal_compression")
_PACKAGES = ("fastapi", "starlette", "uvicorn", "pydantic", "sqlalchemy", "asyncpg")
_FLUSHES = 100
_IN_MEMORY = {"tmpfs", "ramfs"}


class NotDurableError(RuntimeError):
    """Figures of a Postgres that may lose what it answered say nothing about a bank."""


async def postgres_facts(url: str) -> dict[str, str]:
    """The settings that decide about durability and speed. Raises NotDurableError."""
    connection = await asyncpg.connect(url)
    try:
        facts = {name: str(await connection.fetchval(f"SHOW {name}")) for name in _SHOWN}
        facts["version"] = str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()
    off = [name for name in MUST_BE_ON if facts[name] != "on"]
    if off:
        raise NotDurableError(f"no report: {', '.join(off)} must be on")
    return facts


def machine_facts() -> dict[str, str]:
    """What hardware and which programs."""
    packages = " ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return {
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "processor": _processor(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": packages,
        "commit": _commit(),
    }


def flush_milliseconds(directory: Path) -> float:
    """The median of small appends that are flushed to the disk; no commit that waits alone can be faster.

    Raises NotDurableError where files live in memory, because there a flush is free and means nothing.
    """
    if _filesystem(directory) in _IN_MEMORY:
        raise NotDurableError("no report: the data would lie in memory; choose a disk with TMPDIR")
    seconds: list[float] = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_FLUSHES):
            started_at = time.perf_counter()
            file.write(b"\0" * 8192)
            file.flush()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started_at)
    return statistics.median(seconds) * 1000


def _filesystem(directory: Path) -> str:
    """Its type, where the system says; the longest mount point that holds the directory wins."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    entries = [line.split() for line in mounts.read_text().splitlines()]
    holding = [entry for entry in entries if directory.resolve().is_relative_to(entry[1])]
    return max(holding, key=lambda entry: len(entry[1]), default=["", "", "unknown"])[2]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory() -> str:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return "unknown"
    return f"{pages * size / 2**30:.0f} GiB"


def _commit() -> str:
    """The commit that was measured, and whether files differ from it."""
    try:
        short = _git("rev-parse", "--short", "HEAD")
        return short + (" with changes" if _git("status", "--porcelain", "--", "src", "migrations") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
