"""The harness runs for real, with windows too short for figures: every row is there, every book was checked."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAYS = {
    *("pgbench_spread", "pgbench_hot", "post_1", "post_16", "post_64", "post_hot_64"),
    *("post_network_64", "settle", "post_settling_64"),
}


def test_a_short_run_measures_every_row_and_checks_every_book(tmp_path: Path) -> None:
    brief = ("--rounds", "1", "--seconds", "0.5", "--warm-seconds", "0")
    done = subprocess.run(
        (sys.executable, "-m", "bench", *brief, "--out", tmp_path, "--note", "a test"),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    rows = {row["name"]: row for row in results["rows"]}
    assert set(rows) == PAYS | {"get_account_64"}
    assert {name for name, row in rows.items() if row["books_checked"]} == PAYS
    assert all(row["flaws"] == [] and row["unexpected"] == {} for row in rows.values())
    assert results["conditions"]["note"] == "a test"
    assert "fsync on" in results["conditions"]["postgres settings"]
    page = (tmp_path / "RESULTS.md").read_text()
    assert all(row["label"] in page for row in rows.values())
