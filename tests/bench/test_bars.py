"""Bars are judged by medians of ratios within rounds; a round whose books do not balance has no say."""

from dataclasses import replace

import pytest
from bench.bars import BARS, Bar, judge, judged, rates
from bench.rows import Row

from bench import bars, report, smoke, tables


def _row(name: str, per_second: float, cpu: dict[str, float] | None = None) -> Row:
    return Row(
        name=name,
        label=name.upper(),
        per_second=per_second,
        p50_milliseconds=10.0,
        p95_milliseconds=15.0,
        p99_milliseconds=20.0,
        cpu_milliseconds=cpu or {"python": 0.2, "postgres": 0.1},
        other_cores=0.0,
        operations=100,
        books_checked=True,
    )


def _value(name: str, rows: list[Row]) -> float | None:
    (bar,) = (bar for bar in BARS if bar.name.startswith(name))
    return bar.of({row.name: row for row in rows})


def test_a_floor_is_met_by_its_own_value_and_a_ceiling_too() -> None:
    assert Bar("floor", rates("a", "b"), least=3).met(3)
    assert not Bar("floor", rates("a", "b"), least=3).met(2.99)
    assert Bar("ceiling", rates("a", "b"), most=1.2).met(1.2)
    assert not Bar("ceiling", rates("a", "b"), most=1.2).met(1.21)


def test_the_median_of_the_rounds_decides_and_their_spread_is_told() -> None:
    found = judge(Bar("floor", rates("a", "b"), least=2, aim=4), [1.0, 2.5, 9.0])
    assert (found.measured, found.lowest, found.highest, found.met) == (2.5, 1.0, 9.0, True)
    assert found.wanted == "≥ 2, aim 4"


def test_a_ratio_is_taken_within_a_round() -> None:
    bar = Bar("post", rates("post", "limit"), least=1)
    rounds = [[_row("post", 100), _row("limit", 100)], [_row("post", 30), _row("limit", 10)]]
    assert judged([bar], rounds)[0].measured == pytest.approx(2)


def test_a_missed_bar_tells_its_cause_and_a_met_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "CAUSES", {"floor": "The disk is slow."})
    floor = Bar("floor", rates("a", "b"), least=2)
    assert judge(floor, [1.0]).cause == "The disk is slow."
    assert judge(floor, [2.0]).cause is None
    table = tables.bars(bars.shown([judge(floor, [1.0])]))
    assert "MISSED" in table
    assert "* floor: The disk is slow." in table


def test_a_round_whose_books_do_not_balance_has_no_say() -> None:
    bar = Bar("post", rates("post", "limit"), least=1)
    flawed = replace(_row("post", 1_000), flaws=["payments and holds: 2 and 1"])
    (found,) = judged([bar], [[flawed, _row("limit", 10)], [_row("post", 20), _row("limit", 10)]])
    assert found.measured == 2
    (none,) = judged([bar], [[flawed, _row("limit", 10)]])
    assert (none.measured, none.met) == (None, None)


def test_the_bars_of_the_issue() -> None:
    rows = [
        _row("pgbench_spread", 1_000, {"postgres": 0.25}),
        _row("post_2p_16", 500),
        _row("post_2p_64", 800, {"python": 0.2, "postgres": 0.1, "load": 9.0}),
        _row("post_2p_256", 1_000),
        _row("overload", 900),
        _row("settle_alone", 1_600),
        _row("settle_events_off", 2_000),
        _row("settle_events_on", 1_800),
        _row("settle_with_webhooks", 1_350),
    ]
    assert _value("POST payment ÷ pgbench, 64 connections, spread", rows) == pytest.approx(0.8)
    assert _value("(Python + Postgres) CPU", rows) == pytest.approx(1.2)
    assert _value("p99 ÷ p50", rows) == pytest.approx(2)
    assert _value("payments/s at 256", rows) == pytest.approx(2)
    assert _value("settlement without", rows) == pytest.approx(2)
    assert _value("settlement with events on", rows) == pytest.approx(0.9)
    assert _value("settlement with a webhook", rows) == pytest.approx(0.75)
    assert _value("goodput", rows) == pytest.approx(0.9)
    assert _value("Pix received", rows) is None


def test_a_row_whose_books_do_not_balance_prints_no_figure() -> None:
    flawed = replace(_row("post_2p_64", 12_345), flaws=["payments and holds: 2 and 1"])
    document = report.document({}, [[flawed, _row("pgbench_spread", 10)]])
    assert "12,345" not in report.page(document)
    assert "THE BOOKS DO NOT BALANCE" in report.page(document)
    assert "per_second" not in document["rows"][0]
    assert document["rounds"][0][0] == {"name": "post_2p_64", "flaws": ["payments and holds: 2 and 1"]}


def test_rows_are_compared_with_the_pgbench_of_their_kind() -> None:
    rows = [
        *(_row("pgbench_spread", 100), _row("pgbench_hot", 10), _row("pgbench_credit_hot", 5)),
        *(_row("post_2p_64", 200), _row("post_2p_hot_64", 50), _row("receive_hot_64", 20), _row("get_account_64", 7)),
        _row("post_code_64", 7),
    ]
    ratios = {line["name"]: line["limit_ratio"] for line in report.lines([rows])}
    assert ratios["post_2p_64"] == 2
    assert ratios["post_2p_hot_64"] == 5
    assert ratios["receive_hot_64"] == 4
    assert ratios["get_account_64"] is None
    assert ratios["post_code_64"] is None


def test_the_short_run_fails_under_five_times_the_peer() -> None:
    slow = [_row("post_2p_64", 49, {"python": 1.0}), _row("peer_2p_64", 10, {"python": 4.9})]
    assert judge(smoke.FLOOR, smoke.judged_values([slow])).met is False
    fast = [_row("post_2p_64", 50, {"python": 1.0}), _row("peer_2p_64", 10, {"python": 4.9})]
    assert judge(smoke.FLOOR, smoke.judged_values([fast])).met is True


def test_on_a_machine_that_others_use_the_processor_time_decides() -> None:
    disturbed = [
        _row("post_2p_64", 20, {"python": 0.5, "postgres": 0.5, "load": 3.0}),
        _row("peer_2p_64", 10, {"python": 5.0, "postgres": 1.0, "load": 0.1}),
    ]
    assert smoke.judged_values([disturbed]) == [pytest.approx(6)]
