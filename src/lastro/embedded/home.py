"""The directory that one Postgres lives in: where it is, who owns it, and how it comes to hold a cluster."""

import os
import secrets
import shutil
import sys
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

from lastro.embedded.postmaster import Cluster, stop_orphan
from lastro.embedded.programs import BRING_YOUR_OWN, Account, EmbeddedPostgresError, programs_for, run

if sys.platform != "win32":  # there, every way in ends in the sentence of `postgres_programs`
    import fcntl
    import pwd

SUPERUSER = "postgres"
_SYSTEM_DATA = Path("/var/lib")


def data_directory(checkout: Path) -> Path:
    """The home of a checkout's Postgres: `.lastro` in it, which `postgres` creates.

    Root, whose Postgres runs as another account, gets a directory below /var/lib (created) where that account could
    not enter the checkout; unless `.lastro` already holds data, which must not seem lost.
    """
    checkout = checkout.resolve()
    home = checkout / ".lastro"
    stranger = Account(uid=-1, gid=-1)
    if not _is_root() or (home / "data").exists() or _may_enter(checkout, stranger):
        return home
    home = _SYSTEM_DATA / f"lastro-{sha256(os.fsencode(checkout)).hexdigest()[:8]}"
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    return home


def take(home: Path) -> IO[str]:
    """Become the owner of `home` until the returned file is closed; the kernel closes it for the dead."""
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise EmbeddedPostgresError(
            f"Process {owner} already runs the Postgres in {home}: stop that process first, or {BRING_YOUR_OWN}."
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def prepare(home: Path, *, durable: bool) -> Cluster:
    """Bring an owned home to where Postgres can be launched, whatever state the last owner left it in."""
    account = _account_for(home / "data")
    if account and not _may_enter(home, account):
        home.chmod(home.stat().st_mode & 0o777 | 0o011)
        if not _may_enter(home, account):  # a directory above it, and those are not ours to open
            raise EmbeddedPostgresError(
                f"Postgres does not run as root, and user {account.uid} can not enter {home} because a directory above"
                f" it is closed: use another place (`data_directory` knows one), or {BRING_YOUR_OWN}."
            )
    stop_orphan(home / "data")
    cluster = Cluster(home, programs_for(account, home), account, durable)
    if not cluster.data.exists():
        _initialise(cluster)
    return cluster


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _may_enter(directory: Path, account: Account) -> bool:
    """Whether `account` can reach what is in `directory`: it takes the x bit of it and of all above it."""

    def bit(status: os.stat_result) -> int:
        if status.st_uid == account.uid:
            return 0o100
        return 0o010 if status.st_gid == account.gid else 0o001

    return all(bit(status) & status.st_mode for status in (path.stat() for path in (directory, *directory.parents)))


def _account_for(data: Path) -> Account | None:
    if not _is_root():
        return None
    if data.exists():
        return Account(data.stat().st_uid, data.stat().st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(f"Postgres does not run as root, and there is no user `nobody`: {BRING_YOUR_OWN}.")


def _initialise(cluster: Cluster) -> None:
    """Create the data directory under another name first: what is called `data` is always whole."""
    for leftover in cluster.home.glob("initdb-*"):  # its initdb may still be running, and then fails
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix="initdb-", dir=cluster.home))
    password = cluster.home / "password"
    password.unlink(missing_ok=True)
    password.touch(mode=0o600, exist_ok=False)
    password.write_text(secrets.token_urlsafe(24))
    if cluster.account:
        for path in (unfinished, password):
            os.chown(path, cluster.account.uid, cluster.account.gid)
    made = run(
        *(cluster.programs / "initdb", "-D", unfinished, "-U", SUPERUSER, f"--pwfile={password}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--data-checksums", *([] if cluster.durable else ["--no-sync"])),
        account=cluster.account,
    )
    if made.returncode:
        raise EmbeddedPostgresError(f"initdb failed in {cluster.home}: {made.stderr.strip()}")
    unfinished.rename(cluster.data)
