"""Whose processor time it was: seconds of whole process trees, read from /proc before and after a window."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PROC = Path("/proc")

QUIET_CORES = 0.2
"""Busy with what is not ours; above this, something else took part in the measurement."""

FINISHED_CHILDREN = 0
"""Stands for a process id: the programs that this process started and waited for between two readings."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment: seconds used so far by each party, and by everybody on the machine."""

    at: float
    seconds: Mapping[str, float]
    everybody: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used between two readings. `other_cores`: how many cores were busy with what is not ours."""

    wall_seconds: float
    seconds: Mapping[str, float]
    other_cores: float


def available() -> bool:
    """Whether this system tells (Linux does)."""
    return (_PROC / "stat").exists()


def read(parties: Mapping[str, int]) -> Reading:
    """The processor time of each party, given as the id of the process at the root of its tree."""
    if not available():
        return Reading(time.perf_counter(), {}, 0.0)
    used, children = _processes()
    return Reading(
        at=time.perf_counter(),
        seconds={
            name: sum(os.times()[2:4]) if pid == FINISHED_CHILDREN else _tree(pid, used, children)
            for name, pid in parties.items()
        },
        everybody=_everybody(),
    )


def between(before: Reading, after: Reading) -> Usage:
    """The difference of two readings of the same parties."""
    wall = after.at - before.at
    seconds = {name: after.seconds[name] - before.seconds[name] for name in before.seconds}
    other = after.everybody - before.everybody - sum(seconds.values())
    return Usage(wall, seconds, max(0.0, other / wall))


def _processes() -> tuple[dict[int, float], dict[int, list[int]]]:
    """Seconds used by each process, with those of its children that ended; and the children that live."""
    used: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:  # it ended while we looked
            continue
        fields = stat.rpartition(")")[2].split()
        pid, parent = int(entry.name), int(fields[1])
        used[pid] = sum(int(ticks) for ticks in fields[11:15]) * _TICK_SECONDS
        children.setdefault(parent, []).append(pid)
    return used, children


def _tree(root: int, used: Mapping[int, float], children: Mapping[int, list[int]]) -> float:
    """A living process counts for itself, an ended one in its parent, so each second counts once."""
    total, stack = 0.0, [root]
    while stack:
        pid = stack.pop()
        total += used.get(pid, 0.0)
        stack.extend(children.get(pid, ()))
    return total


def _everybody() -> float:
    user, nice, system, _idle, _waiting, *interrupts = (
        int(ticks) for ticks in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + sum(interrupts)) * _TICK_SECONDS


def memory(root: int) -> dict[int, int]:
    """Bytes in memory (RSS) of a process and of each that it started, by process id."""
    if not available():
        return {}
    _, children = _processes()
    found: dict[int, int] = {}
    stack = [root]
    while stack:
        pid = stack.pop()
        try:
            found[pid] = int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
        except OSError:
            continue
        stack.extend(children.get(pid, ()))
    return found


def wait_for_quiet(parties: Mapping[str, int], seconds: float) -> None:
    """Wait until hardly anything that is not ours is busy, at most so long."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at and available():
        before = read(parties)
        time.sleep(0.25)
        if between(before, read(parties)).other_cores < QUIET_CORES:
            return
