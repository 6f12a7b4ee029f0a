"""The table of an account's life, held to what it promises."""

from itertools import pairwise

import pytest

from lastro.accounts import states
from lastro.accounts.states import EDGES, AccountStatus


def reachable_from(start: AccountStatus) -> set[AccountStatus]:
    found = {start}
    while more := {to for come_from, to in EDGES if come_from in found} - found:
        found |= more
    return found


def test_every_status_is_reached_by_a_new_account() -> None:
    assert reachable_from(AccountStatus.PENDING) == set(AccountStatus)


def test_nothing_leaves_closed() -> None:
    assert reachable_from(AccountStatus.CLOSED) == {AccountStatus.CLOSED}


def test_nothing_goes_back_to_pending() -> None:
    assert AccountStatus.PENDING not in {to for _, to in EDGES}


def test_no_edge_leads_nowhere() -> None:
    assert all(come_from is not to for come_from, to in EDGES)


def test_every_status_but_closed_can_still_come_to_closed() -> None:
    assert all(AccountStatus.CLOSED in reachable_from(status) for status in AccountStatus)


@pytest.mark.parametrize("edge", EDGES.values(), ids=lambda edge: edge.emits)
def test_every_edge_is_news(edge: states.Edge) -> None:
    family, _, what = edge.emits.partition(".")

    assert family == "account"
    assert what.isalpha()


def test_edges_that_are_the_same_news_lead_to_the_same_status() -> None:
    told = {(edge.emits, to) for (_, to), edge in EDGES.items()}

    assert len({news for news, _ in told}) == len(told)


def test_the_drawing_names_each_status() -> None:
    drawing = str(states.__doc__)

    assert all(status in drawing for status in AccountStatus)


def test_the_drawings_first_line_is_the_table() -> None:
    line = next(line for line in str(states.__doc__).splitlines() if "⇄" in line)
    words = [AccountStatus(word) for word in line.replace("⇄", "→").split(" → ")]
    both_ways = [AccountStatus.ACTIVE, AccountStatus.BLOCKED]

    assert all(step in EDGES for step in pairwise(words))
    assert tuple(both_ways) in EDGES
    assert tuple(reversed(both_ways)) in EDGES
