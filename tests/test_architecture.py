"""The architecture as tests: what would otherwise only be a habit."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Table

from lastro.tables import MODULES, metadata

SOURCE = Path(__file__).resolve().parents[1] / "src" / "lastro"
FILES = sorted(SOURCE.rglob("*.py"))

# Tables that belong to an account, by the column that names it; and those that are keyed by what must be unique.
ACCOUNT_OWNED = {
    "balances": "account_id",
    "movements": "account_id",
    "pix_payments": "account_id",
    "pix_transfers": "account_id",
    "pix_keys": "account_id",
    "pix_lookups": "account_id",
    "pix_qrcodes": "account_id",
    "pix_refunds": "account_id",
    "events": "account_id",
    "accounts": "id",
    "kyc_files": "account_id",
    "kyc_submissions": "account_id",
    "kyc_documents": "account_id",
    "kyc_images": "account_id",
    "internal_transfers": "account_id",
}
KEYED_BY_VALUE = {
    "inbox",
    "idempotency",
    "open_accounts",
    "account_numbers",
    "api_clients",
    "api_tokens",
    "key_holders",
    "lookup_budgets",
    "qrcode_locations",
    "token_spending",
}
REFERENCE_OR_LOCAL = {
    "tenants",
    "providers",
    "outbox",
    "alerts",
    "tally",
    "tally_changes",
    "untold_events",
    "event_feed",
    "webhook_subscriptions",
    "webhook_secrets",
    "webhook_deliveries",
    "webhook_attempts",
}


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = node.args
    return {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def test_a_function_takes_a_transaction_or_the_bank_and_never_both() -> None:
    both = [f"{path.name}:{node.name}" for path, node in functions() if {"tx", "bank"} <= parameters(node)]
    assert both == []


def test_what_runs_inside_a_transaction_calls_no_provider() -> None:
    """No network call inside a transaction: nothing under `async with ….transaction()` awaits an adapter."""
    guilty = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncWith) and "transaction()" in ast.unparse(node.items[0]):
                body = " ".join(ast.unparse(statement) for statement in node.body)
                if re.search(r"\.speaks\.|network\.(settle|find_key|outcome_of)|_client\.", body):
                    guilty.append(f"{path.name}:{node.lineno}")
    assert guilty == []


def test_only_the_database_module_commits() -> None:
    pattern = re.compile(r"\.(commit|rollback|begin)\(\)")
    guilty = [
        f"{path.relative_to(SOURCE)}"
        for path in FILES
        if pattern.search(path.read_text()) and path.relative_to(SOURCE).parts[0] not in {"database.py", "simulator"}
    ]
    assert guilty == []


def test_only_the_settings_read_the_environment() -> None:
    allowed = {"settings.py", "programs.py", "cli.py", "metrics.py"}  # the last two: Prometheus' own variable
    guilty = [path.name for path in FILES if "os.environ" in path.read_text() and path.name not in allowed]
    assert guilty == []


def test_nobody_asks_a_clock_but_the_clock() -> None:
    """`bank.now()` is the time. Tokens and signatures need the real one, and say so."""
    allowed = {"clock.py", "tokens.py", "cli.py", "doctor.py"}  # the doctor compares clocks
    guilty = [
        str(path.relative_to(SOURCE))
        for path in FILES
        if re.search(r"datetime\.(now|utcnow)\(|date\.today\(", path.read_text()) and path.name not in allowed
    ]
    assert guilty == []


def test_nothing_but_the_simulator_knows_its_magic_domain() -> None:
    guilty = [
        path.name
        for path in FILES
        if "rejeita" in path.read_text() and "simulator" not in path.relative_to(SOURCE).parts
    ]
    assert guilty == []


def test_a_server_of_the_production_kind_never_mounts_the_simulator() -> None:
    from lastro import app, wiring

    for module in (app, wiring):
        assert "simulator" not in Path(module.__file__ or "").read_text()


def test_every_module_says_in_a_sentence_what_it_is_for() -> None:
    silent = [path.name for path in FILES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_no_module_is_larger_than_a_reader_can_hold() -> None:
    large = {path.name: lines for path in FILES if (lines := len(path.read_text().splitlines())) > 400}
    assert large == {}


def test_no_function_is_larger_than_a_screen() -> None:
    large = [f"{path.name}:{node.name}" for path, node in functions() if (node.end_lineno or 0) - node.lineno > 60]
    assert large == []


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    odd = {"utils.py", "helpers.py", "constants.py", "dependencies.py", "crud.py", "base.py", "common.py", "misc.py"}
    assert not odd & {path.name for path in FILES}


def test_each_sentence_of_the_api_is_written_once() -> None:
    """Two languages in one place: a sentence that stands twice is mended once."""
    places: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name("Text" | "Sentence"), args=[ast.Constant(str(sentence)), _]):
                    places.setdefault(sentence, []).append(f"{path.name}:{node.lineno}")
    assert {sentence: found for sentence, found in places.items() if len(found) > 1} == {}


def test_no_float_touches_money() -> None:
    """`float` and true division stand nowhere near an amount, but where the wire wants a JSON number."""
    guilty = [
        f"{path.relative_to(SOURCE)}"
        for path in FILES
        if re.search(r"centavos\s*/\s*[0-9]|float\(.*(amount|centavos)", path.read_text())
        and path.name not in {"fields.py", "demo.py"}
    ]
    assert guilty == []


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=SOURCE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_table_is_sorted_into_one_of_the_three_kinds() -> None:
    assert MODULES
    assert set(metadata.tables) == set(ACCOUNT_OWNED) | KEYED_BY_VALUE | REFERENCE_OR_LOCAL


@pytest.mark.parametrize("name", sorted(ACCOUNT_OWNED))
def test_what_belongs_to_an_account_is_distributed_by_it(name: str) -> None:
    """The schema can be spread over machines by account: its id comes first in every key, and is never changed."""
    table, column = metadata.tables[name], ACCOUNT_OWNED[name]
    for key in keys_of(table):
        assert key[0] == column, f"{name}: {key}"


def keys_of(table: Table) -> Iterator[list[str]]:
    from sqlalchemy import UniqueConstraint

    yield [column.name for column in table.primary_key]
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns]
    for index in table.indexes:
        if index.unique:
            yield [column.name for column in index.columns]


def test_rows_of_the_hot_path_carry_no_foreign_keys() -> None:
    for name in ("movements", "pix_payments", "pix_transfers", "outbox", "idempotency", "inbox", "events", "balances"):
        assert not metadata.tables[name].foreign_keys, name
