"""Who stands behind the key that a payment names: a customer of ours, or whom the directory tells."""

from dataclasses import dataclass
from uuid import UUID

from lastro import metrics
from lastro.bank import Bank
from lastro.errors import BankError, KeyNotFound, RateLimited
from lastro.pix.lookups.budgets import Asker, Entry, Purpose
from lastro.pix.lookups.metering import COST_OF_FOUND, priced
from lastro.pix.lookups.reservations import Reservation
from lastro.providers.directory import ProviderFacts
from lastro.providers.protocol import Party
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey


@dataclass(frozen=True, slots=True)
class Payee:
    """Who is to be paid. `account_id`: our own customer, at the very participant that pays.

    `end_to_end_id`: under which the provider wants the payment to go out, if it makes these ids itself.
    """

    party: Party
    account_id: UUID | None = None
    end_to_end_id: EndToEndId | None = None


Known = Payee | BankError | None
"""What is known of a key before the directory is asked: the payee, why nobody will be asked, or nothing yet."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A key whose holder is wanted, and where a token is reserved if the directory must be asked for it."""

    key: PixKey
    reservation: Reservation


async def find(
    bank: Bank, provider: ProviderFacts, sought: Sought, known: Known, *, asker: Asker, end_to_end_id: EndToEndId
) -> Payee:
    """Ask the directory unless it is `known`. Call it outside of any transaction, while a token is reserved.

    From then on the reservation owes what the answer costs, until somebody says that it ended in a payment. Only the
    charge of a miss is awaited: whoever hears of it has paid. Silence costs nothing, also when nobody waits for it any
    longer. Raises KeyNotFound, RateLimited, Unprocessable, ProviderUnavailable, Unavailable.
    """
    if isinstance(known, BankError):
        if isinstance(known, RateLimited):
            _count("refused")
        raise known
    if known is not None:
        _count("ours")
        return known
    try:
        owner = await provider.speaks.find_key(
            sought.key, ispb=provider.ispb, payer_tax_id=asker.payer, end_to_end_id=end_to_end_id
        )
    except BankError as error:
        price, outcome = priced(error)
        if isinstance(error, KeyNotFound):
            await bank.metering.submit(Entry(asker, price))
        elif price:
            sought.reservation.owes(Entry(asker, price))
        _count(outcome)
        raise
    sought.reservation.owes(Entry(asker, COST_OF_FOUND))
    _count("found")
    return Payee(owner.party, end_to_end_id=owner.end_to_end_id)


def _count(outcome: str) -> None:
    metrics.LOOKUPS.labels(Purpose.PAYMENT, outcome).inc()
