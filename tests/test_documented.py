"""Documentation that cannot lie: what it names exists, what exists is named, and the README's commands are run.

In the walk-through of README.md a ```sh block is run as it stands, only the address changed. A ```json block after it
must be contained in the answer: each key it shows, each item of a list in that order; "…" in a text stands for
anything. Each line of a ```text block must be a line of what was printed. A block that only reads is tried again for
some seconds, since things settle by themselves.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from build import World
from lastro import metrics
from lastro.accounts import states as accounts
from lastro.app import ROUTERS
from lastro.auth.permissions import Permission
from lastro.cli import app
from lastro.errors import ErrorCode
from lastro.http import ApiRoute
from lastro.jsonapi.errors import STATUS
from lastro.kyc import states as kyc
from lastro.pix.keys import states as keys
from lastro.pix.payments import states as payments
from lastro.pix.qrcodes import states as qrcodes
from lastro.pix.refunds import states as refunds
from lastro.providers import network_http, openpix_http
from lastro.providers import states as providers
from lastro.providers.directory import NETWORK, OPENPIX
from lastro.providers.features import Feature
from lastro.settings import Settings
from lastro.subscribers.catalog import TYPES
from lastro.transfers import states as internal_transfers
from lastro.webhooks.models import DeliveryStatus, SubscriptionStatus

LIVES = (accounts, kyc, keys, payments, refunds)

ROOT = Path(__file__).resolve().parents[1]
BOOKS = (
    "README.md",
    "README.pt-BR.md",
    "CHANGELOG.md",
    "docs/api.md",
    "docs/operations.md",
    "docs/network.md",
    "docs/openpix.md",
)
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
OURS = ("src", "tests", "docs", "requirements", "migrations", "bench", "docker", ".ci")
LATE_SECONDS = 8.0


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def every_text() -> str:
    return "\n".join([*(read(name) for name in BOOKS), *(path.read_text("utf-8") for path in DECISIONS)])


def first_cells(name: str) -> list[str]:
    """The first cell of each row of each table, without its backquotes."""
    rows = [line for line in read(name).splitlines() if line.startswith("| ")]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@dataclass(frozen=True)
class Fence:
    """One fenced block: its language and its text."""

    language: str
    text: str


def fences(markdown: str) -> list[Fence]:
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", markdown, re.MULTILINE | re.DOTALL)
    return [Fence(language, re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)) for indent, language, body in found]


def section(markdown: str, title: str) -> str:
    return markdown.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


# What exists is named


def test_every_setting_stands_in_operations_in_its_order() -> None:
    told = [cell for cell in first_cells("docs/operations.md") if cell.startswith("LASTRO_")]
    assert told == [f"LASTRO_{name.upper()}" for name in Settings.model_fields]


def test_operations_tells_the_default_of_each_setting() -> None:
    rows = {
        row.split("|")[1].strip(" `"): row.split("|")[2].strip(" `")
        for row in read("docs/operations.md").splitlines()
        if row.startswith("| `LASTRO_")
    }
    for name, field in Settings.model_fields.items():
        told = rows[f"LASTRO_{name.upper()}"]
        if field.is_required():
            assert told == "required"
        elif field.default is None:
            assert told in {"none", "the bank's own"}
        else:
            assert told.lower() == str(field.default).lower()


def test_compose_sets_every_setting_and_the_example_names_every_variable() -> None:
    compose, example = read("docker-compose.yml"), read(".env.example")
    assert set(re.findall(r"^ +(LASTRO_[A-Z_]+): ", compose, re.MULTILINE)) >= {
        f"LASTRO_{name.upper()}" for name in Settings.model_fields
    }
    wanted = set(re.findall(r"\$\{([A-Z_]+)", compose))
    assert wanted == set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?", compose))
    assert demanded == set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE)), "a secret may have no default"
    assert re.findall(r"^  ([a-z]+):$", compose.split("services:")[1].split("\nvolumes:")[0], re.MULTILINE) == [
        "postgres",
        "migrate",
        "api",
        "worker",
        "simulator",
    ]


def test_what_the_dockerfile_copies_exists_and_reaches_the_builder() -> None:
    let_in = {line.removeprefix("!").rstrip("/") for line in read(".dockerignore").splitlines() if line.startswith("!")}
    for line in read("Dockerfile").splitlines():
        if line.startswith("COPY "):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in let_in, source


def test_every_error_code_stands_in_the_api_with_its_status() -> None:
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| ([0-9]{3}) \|", read("docs/api.md"), re.MULTILINE))
    assert told == {code.value: str(STATUS[code]) for code in ErrorCode}


def test_every_route_stands_in_the_api_with_its_permission() -> None:
    told = set(re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| `(\w+)` \|", read("docs/api.md"), re.MULTILINE))
    there = {
        (method, re.sub(r"\{\w+\}", ":id", route.path), str(route.permission))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, ApiRoute)
        for method in route.methods or ()
    }
    assert told == there


def test_every_permission_stands_in_the_api_and_no_other() -> None:
    assert set(re.findall(r"\bBAAS_[A-Z_]+\b", read("docs/api.md"))) == set(Permission)
    assert set(re.findall(r"\bBAAS_[A-Z_]+\b", every_text())) <= set(Permission)


def test_every_event_stands_in_the_api_and_no_other() -> None:
    told = {cell for cell in first_cells("docs/api.md") if re.fullmatch(r"[a-z]+(\.[a-z_]+)+", cell)}
    assert told == set(TYPES)
    assert told >= {edge.emits for states in LIVES for edge in states.EDGES.values()} - {None}


def test_every_status_stands_in_the_api() -> None:
    cells = first_cells("docs/api.md")
    for status in (
        *accounts.AccountStatus,
        *kyc.KycStatus,
        *keys.KeyStatus,
        *qrcodes.QrCodeStatus,
        *payments.PaymentStatus,
        *refunds.RefundStatus,
        *internal_transfers.InternalTransferStatus,
        *providers.ProviderStatus,
        *SubscriptionStatus,
        *DeliveryStatus,
    ):
        assert status in cells


def test_the_capability_matrix_is_what_the_adapters_say() -> None:
    head, *rows = [
        [cell.strip(" `") for cell in row.strip("|").split("|")]
        for row in section(read("docs/api.md"), "Providers").splitlines()
        if row.startswith(("| feature |", "| `")) and row.count("|") > 3
    ]
    told = {name: {row[0] for row in rows if row[column] == "yes"} for column, name in enumerate(head) if column > 1}
    assert [row[0] for row in rows] == list(Feature)
    assert told == {NETWORK: set(network_http.FEATURES), OPENPIX: set(openpix_http.FEATURES)}


@pytest.mark.parametrize("states", LIVES)
def test_the_drawings_of_the_lives_are_those_of_the_code(states: Any) -> None:
    drawing = str(states.__doc__).split("\n\n", 1)[1].strip("\n")
    assert drawing.rstrip() in {fence.text.rstrip() for fence in fences(read("docs/api.md"))}


def test_every_metric_stands_in_operations_and_no_other() -> None:
    there = set()
    for metric in vars(metrics).values():
        for family in metric.collect() if hasattr(metric, "_documentation") else ():
            there.add(f"{family.name}_total" if family.type == "counter" else family.name)
    assert {
        cell for cell in first_cells("docs/operations.md") if cell.startswith("lastro_") and cell not in ROLES
    } == there


ROLES = {"lastro_app", "lastro_owner", "lastro_login"}


def test_every_alert_stands_in_operations() -> None:
    cells = first_cells("docs/operations.md")
    for path in (ROOT / "src/lastro").rglob("*.py"):
        for kind in re.findall(r"(?:kind=|Concern\(\s*)\"([a-z_]+)\"", path.read_text("utf-8")):
            assert kind in cells, f"{path.name}: {kind}"
    from lastro.worker import HANDLERS

    for topic in HANDLERS:
        assert f"given_up:{topic}" in cells


def test_the_map_of_the_house_shows_every_part_of_it() -> None:
    shown = set(
        re.findall(r"([\w/]+(?:\.py|/))(?= |$)", section(read("README.md"), "The map of the code"), re.MULTILINE)
    )
    source = ROOT / "src/lastro"
    modules = {path.name for path in source.glob("*.py")} - {"__init__.py", "__main__.py"}
    packages = {f"{path.parent.relative_to(source)}/" for path in source.rglob("__init__.py")} - {"./", "pix/"}
    assert modules | packages <= shown


# What is named exists


def commands_named() -> Iterator[list[str]]:
    """Each `lastro …` in the books: in backquotes, or at the beginning of a line of a shell block."""
    for name in BOOKS:
        markdown = read(name)
        prose = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
        yield from (shlex.split(found) for found in re.findall(r"`(?:\.venv/bin/)?lastro ([^`…]+)`", prose))
        for fence in fences(markdown):
            if fence.language == "sh":
                script = fence.text.replace("\\\n", " ")
                for found in re.findall(
                    r"(?:^|\$\(|run --rm )(?:\.venv/bin/)?(?:lastro|migrate) ([^\n)#]+)", script, re.MULTILINE
                ):
                    yield shlex.split(found)


@pytest.mark.parametrize("words", list(commands_named()), ids=" ".join)
def test_every_command_that_is_named_exists_with_its_options(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    arguments = list(words)
    while hasattr(command, "commands"):
        assert arguments, f"`lastro {' '.join(words)}` stops halfway"
        name = arguments.pop(0)
        assert name in command.commands
        command = command.commands[name]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in arguments if word.startswith("--")} <= options


def test_there_is_a_word_about_every_command() -> None:
    named = [" ".join(words) for words in commands_named()]
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        for path in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert any(words == path or words.startswith(f"{path} ") for words in named), path


def test_every_word_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", every_text(), re.MULTILINE))
    assert {"run", "test", "check"} <= named <= targets


def test_every_link_leads_somewhere() -> None:
    for path in [*(ROOT / name for name in BOOKS), *DECISIONS]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_decisions_are_numbered_and_say_why() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]} ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Why", "Consequences"]


def sources() -> Iterator[Path]:
    """The files of the project, the new ones too; not what tools and developers leave beside them."""
    left = {".git", ".env", "__pycache__", "lastro.egg-info"}
    for path in [*(path for part in OURS for path in (ROOT / part).rglob("*")), *ROOT.glob("*"), *ROOT.glob(".*")]:
        if path.is_file() and not left & set(path.parts) and not path.name.startswith(".coverage"):
            yield path


def test_nothing_names_a_package_registry_or_a_path_of_one_machine() -> None:
    # Put together here, so that this file does not name them either.
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    hosts += [".".join(parts) for parts in (("docker", "io"), ("ghcr", "io"), ("quay", "io"), ("anaconda", "org"))]
    registry = re.compile(rf"https?://[^\s\"'<>)]*(?:{'|'.join(map(re.escape, hosts))})|https?://[^/\s]*pypi")
    machine = re.compile(r"(?<![\w.])/(?:" + "|".join(("wo" + "rk", "ro" + "ot")) + r")/")
    for path in sources():
        text = path.read_text("utf-8", errors="replace")
        assert not (found := registry.search(text)), f"{path}: {found}"
        assert not (found := machine.search(text)), f"{path}: {found}"


def test_the_locks_name_no_address_at_all() -> None:
    for path in (ROOT / "requirements").glob("*"):
        text = path.read_text("utf-8")
        assert "://" not in text, path
        assert "--index" not in text, path
        assert path.suffix != ".txt" or "--hash=sha256:" in text


# The walk-through is run


@dataclass(frozen=True)
class Step:
    """A command and what the README shows of its answer."""

    script: str
    shown: Fence

    @property
    def only_reads(self) -> bool:
        return " -X " not in self.script


def steps(markdown: str) -> list[Step]:
    """Each command, with the block after it."""
    blocks = fences(markdown)
    pairs = [(command, shown) for command, shown in pairwise(blocks) if command.language == "sh"]
    assert all(shown.language in {"json", "text"} for _, shown in pairs)
    return [Step(command.text, shown) for command, shown in pairs]


def matches(shown: str, found: object) -> bool:
    """Whether a text is what is shown, with "…" for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return isinstance(found, str) and re.fullmatch(pattern, found, re.DOTALL) is not None


def contains(found: Any, shown: Any) -> bool:
    """Whether an answer contains what is shown of it."""
    match shown:
        case dict():
            return isinstance(found, dict) and all(
                name in found and contains(found[name], child) for name, child in shown.items()
            )
        case list():
            rest: Iterator[Any] = iter(found if isinstance(found, list) else ())
            return all(any(contains(item, child) for item in rest) for child in shown)
        case str():
            return matches(shown, found)
        case bool() | None:
            return found is shown
    return isinstance(found, int | float) and not isinstance(found, bool) and bool(found == shown)


def agrees(printed: str, shown: Fence) -> bool:
    if shown.language == "json":
        return contains(json.loads(printed), json.loads(shown.text))
    lines = printed.splitlines()
    return all(any(matches(line, found.strip()) for found in lines) for line in shown.text.splitlines())


async def run(script: str) -> str:
    environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*", "LC_ALL": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script.replace("curl ", "curl --silent --show-error --max-time 10 "),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return printed.decode()


async def test_the_walk_through_of_the_readme(world: World) -> None:
    walk = section(read("README.md"), "The walk-through")
    assert len(steps(walk)) * 2 == len(fences(walk)), "each command with its answer, and nothing else"
    await walked(world, walk)


async def test_the_commands_of_the_api_page(world: World) -> None:
    await walked(world, read("docs/api.md"))


async def walked(world: World, markdown: str) -> None:
    """Run the commands in their order; each must answer what is shown."""
    if not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("the walk-through is run with bash and curl")
    address = str(world.http.base_url).rstrip("/")
    for step in steps(markdown):
        assert "http://127.0.0.1:8000" in step.script
        script = step.script.replace("http://127.0.0.1:8000", address)
        patience = time.monotonic() + (LATE_SECONDS if step.only_reads else 0)
        while not agrees(printed := await run(script), step.shown):
            assert time.monotonic() < patience, f"{step.script}\nprinted\n{printed}\ninstead of\n{step.shown.text}"
            await asyncio.sleep(0.05)


def test_the_portuguese_readme_shows_commands_of_the_english_one() -> None:
    known = [fence.text for fence in fences(read("README.md"))]
    for fence in fences(read("README.pt-BR.md")):
        assert fence.text in known


@pytest.mark.parametrize(
    ("found", "shown", "yes"),
    [
        ({"a": 1, "b": 2}, {"a": 1.0}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({"a": None}, {"a": None}, True),
        ({"a": False}, {"a": None}, False),
        ({"a": True}, {"a": 1}, False),
        ([1, 2, 3], [1, 3], True),
        ([3, 1], [1, 3], False),
        ([], [{}], False),
        ("E00000000abc", "E0000…", True),
        ("D00000000abc", "E0000…", False),
        (5, "…", False),
    ],
)
def test_what_is_shown_must_be_in_the_answer(found: Any, shown: Any, *, yes: bool) -> None:
    assert contains(found, shown) is yes


def test_the_books_can_be_cited(request: pytest.FixtureRequest) -> None:
    """Comments of the code name pages of docs/; those must exist."""
    cited: Sequence[tuple[Path, str]] = [
        (path, page)
        for path in (ROOT / "src").rglob("*.py")
        for page in re.findall(r"docs/[\w/-]+\.md", path.read_text("utf-8"))
    ]
    assert cited
    for path, page in cited:
        assert (ROOT / page).exists(), f"{path}: {page}"
