"""The sentences of the ledger: each balances, whatever is put into it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastro.ledger import movements
from lastro.ledger.movements import Movement, Pot
from lastro.values.money import MAX_CENTAVOS, Money

SENTENCES = (movements.hold, movements.settle, movements.release, movements.receive)


@pytest.mark.parametrize("sentence", SENTENCES)
@given(account=some.uuids(), centavos=some.integers(1, MAX_CENTAVOS), reference=some.uuids())
def test_every_sentence_sums_to_zero(sentence: type[Movement], account: UUID, centavos: int, reference: UUID) -> None:
    said = sentence(account, Money(centavos), reference)  # type: ignore[arg-type,call-arg]
    assert sum(said.change_of(pot) for pot in Pot) == 0
    assert said.source is not said.target


@pytest.mark.parametrize(
    ("sentence", "source", "target"),
    [
        (movements.hold, Pot.AVAILABLE, Pot.IN_TRANSIT),
        (movements.settle, Pot.IN_TRANSIT, Pot.SPI),
        (movements.release, Pot.IN_TRANSIT, Pot.AVAILABLE),
        (movements.receive, Pot.SPI, Pot.AVAILABLE),
    ],
)
def test_each_sentence_moves_between_its_pots(sentence: type[Movement], source: Pot, target: Pot) -> None:
    said = sentence(UUID(int=1), Money(1), UUID(int=2))  # type: ignore[arg-type,call-arg]
    assert (said.source, said.target) == (source, target)
