"""The life of a payment is one table; these follow from it."""

from lastro.ledger.movements import Pot
from lastro.pix.payments import states
from lastro.pix.payments.states import EDGES, PaymentStatus
from lastro.values.money import Money

P = PaymentStatus


def test_every_status_is_reached() -> None:
    assert {to for _, to in EDGES} | {P.PENDING} == set(PaymentStatus)


def test_the_ends_have_no_exit() -> None:
    assert {come_from for come_from, _ in EDGES}.isdisjoint({P.FAILED, P.REVERSED})


def test_every_end_is_news() -> None:
    for (_, to), edge in EDGES.items():
        assert (edge.emits is None) == (to is P.PROCESSING)


def test_the_drawing_in_the_module_names_every_status() -> None:
    assert all(status in (states.__doc__ or "") for status in PaymentStatus)


def test_what_was_held_is_settled_or_released_and_nothing_else() -> None:
    from uuid import UUID

    def pots(step: tuple[PaymentStatus, PaymentStatus]) -> tuple[Pot, Pot]:
        moves = EDGES[step].moves
        assert moves is not None
        said = moves(UUID(int=1), Money(1), UUID(int=2))
        return said.source, said.target

    assert pots((P.PENDING, P.PROCESSING)) == (Pot.AVAILABLE, Pot.IN_TRANSIT)
    assert pots((P.PROCESSING, P.COMPLETED)) == (Pot.IN_TRANSIT, Pot.SPI)
    assert pots((P.PROCESSING, P.FAILED)) == (Pot.IN_TRANSIT, Pot.AVAILABLE)
    assert pots((P.COMPLETED, P.REVERSED)) == (Pot.SPI, Pot.AVAILABLE)
    assert EDGES[P.PENDING, P.FAILED].moves is None
