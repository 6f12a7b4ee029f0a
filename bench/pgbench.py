"""Runs pgbench, which comes with the Postgres that is measured: one function call is one transaction."""

import math
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench import cpu
from bench.figures import percentile
from bench.load import Figures
from bench.place import Place
from lastro.embedded.programs import postgres_programs

CLIENTS = 32


class PgbenchError(RuntimeError):
    """pgbench failed; the message ends with what it said."""


def pgbench(
    place: Place, database: str, script: str, *, warm_seconds: float, seconds: float
) -> tuple[Figures, cpu.Usage]:
    """Run the script again and again from 32 clients, for a while."""
    # pgbench counts in whole seconds.
    warm = _run(place, database, script, math.ceil(warm_seconds))[0].expected_in_all if warm_seconds else 0
    figures, usage = _run(place, database, script, math.ceil(seconds))
    return replace(figures, expected_in_all=figures.expected_in_all + warm), usage


def _run(place: Place, database: str, script: str, seconds: int) -> tuple[Figures, cpu.Usage]:
    file, prefix = place.scratch / "script.sql", place.scratch / "pgbench-log"
    file.write_text(script)
    for leftover in place.scratch.glob("pgbench-log*"):
        leftover.unlink()
    server = place.server
    process = subprocess.Popen(
        (
            *(str(postgres_programs() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={file}"),
            *(f"--client={CLIENTS}", "--jobs=2", f"--time={seconds}", "--log", f"--log-prefix={prefix}"),
            *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}", database),
        ),
        env=_without_postgres_variables(os.environ) | {"PGPASSWORD": server.password},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    parties = {"postgres": server.pid, "load": cpu.FINISHED_CHILDREN}
    before = cpu.read(parties)
    output, _ = process.communicate()
    usage = cpu.between(before, cpu.read(parties))
    said = output.decode(errors="replace")
    if process.returncode or "aborted" in said:
        raise PgbenchError(f"pgbench failed: {said[-2000:]}")
    return _figures(said, prefix), usage


def _figures(said: str, prefix: Path) -> Figures:
    """Its rate without the time of connecting, and percentiles from its log (the third column, microseconds)."""
    rate = next((float(line.split()[2]) for line in said.splitlines() if line.startswith("tps = ")), None)
    if not rate:  # on a machine that is taken, a second may pass before the first transaction
        return Figures(seconds=1.0)
    latencies = sorted(
        int(line.split(maxsplit=3)[2]) / 1000
        for part in prefix.parent.glob(f"{prefix.name}*")
        for line in part.read_text().splitlines()
    )
    count = len(latencies)
    p50, p95, p99 = (percentile(latencies, share) for share in (0.50, 0.95, 0.99))
    return Figures(count / rate, count, count, count, 0, p50, p95, p99)


def _without_postgres_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("PG")}
