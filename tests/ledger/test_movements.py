"""The sentences of the ledger: each balances, whatever is put into it."""

from uuid import UUID

import pytest

from lastro.ledger import movements
from lastro.ledger.movements import Movement, Pot
from lastro.values.money import Money


@pytest.mark.parametrize(
    ("sentence", "source", "target"),
    [
        (movements.hold, Pot.AVAILABLE, Pot.IN_TRANSIT),
        (movements.settle, Pot.IN_TRANSIT, Pot.SPI),
        (movements.release, Pot.IN_TRANSIT, Pot.AVAILABLE),
        (movements.receive, Pot.SPI, Pot.AVAILABLE),
        (movements.pay, Pot.IN_TRANSIT, Pot.BOOK),
        (movements.transfer, Pot.AVAILABLE, Pot.BOOK),
        (movements.collect, Pot.BOOK, Pot.AVAILABLE),
    ],
)
def test_each_sentence_moves_between_its_pots(sentence: type[Movement], source: Pot, target: Pot) -> None:
    said = sentence(UUID(int=1), Money(1), UUID(int=2))  # type: ignore[arg-type,call-arg]
    assert (said.source, said.target) == (source, target)
