"""Nobody gives more than he has."""

from uuid import UUID, uuid4

import pytest

from lastro.auth.binding import UNBOUND, Binding, Rights
from lastro.auth.permissions import EVERYTHING, Permission
from lastro.values.money import Money
from lastro.values.network import parse_network

ONE, TWO = uuid4(), uuid4()
READ = frozenset({str(Permission.PIX_READ)})
BOTH = READ | {str(Permission.PIX_SEND)}


def beyond(wanted: Rights, own: Rights) -> list[str]:
    return [*wanted.beyond(own)]


def bound(*accounts: UUID, networks: str = "", each: int = 0, day: int = 0) -> Rights:
    return Rights(
        READ,
        Binding(
            frozenset(accounts) or None,
            tuple(map(parse_network, networks.split())) or None,
            Money(each) if each else None,
            Money(day) if day else None,
        ),
    )


def test_permissions_are_some_of_the_givers() -> None:
    assert beyond(Rights(READ, UNBOUND), Rights(BOTH, UNBOUND)) == []
    assert beyond(Rights(BOTH, UNBOUND), Rights(BOTH, UNBOUND)) == []
    assert beyond(Rights(BOTH, UNBOUND), Rights(READ, UNBOUND)) == ["permissions"]
    assert beyond(Rights(BOTH, UNBOUND), Rights(frozenset({EVERYTHING}), UNBOUND)) == []
    assert beyond(Rights(frozenset({EVERYTHING}), UNBOUND), Rights(BOTH, UNBOUND)) == ["permissions"]


@pytest.mark.parametrize(
    ("wanted", "own", "excess"),
    [
        (bound(ONE), bound(ONE, TWO), []),
        (bound(ONE, TWO), bound(ONE), ["accountIds"]),
        (bound(), bound(ONE), ["accountIds"]),
        (bound(ONE), bound(), []),
        (bound(networks="10.1.0.0/16"), bound(networks="10.0.0.0/8"), []),
        (bound(networks="10.0.0.0/8 11.0.0.0/8"), bound(networks="10.0.0.0/8"), ["networks"]),
        (bound(), bound(networks="10.0.0.0/8"), ["networks"]),
        (bound(each=100), bound(each=100), []),
        (bound(each=101), bound(each=100), ["maxAmountPerPayment"]),
        (bound(), bound(each=100), ["maxAmountPerPayment"]),
        (bound(each=1), bound(), []),
        (bound(day=1), bound(), []),
        (bound(), bound(ONE, networks="10.0.0.0/8", each=1), ["accountIds", "networks", "maxAmountPerPayment"]),
    ],
)
def test_a_binding_lies_within_the_givers(wanted: Rights, own: Rights, excess: list[str]) -> None:
    assert beyond(wanted, own) == excess


def test_a_sum_of_the_day_is_not_given_on_or_it_would_be_spent_twice() -> None:
    assert beyond(bound(day=1), bound(day=100)) == ["maxAmountPerDay"]
