"""Every type of news there is, and what a filter means among them."""

from collections.abc import Sequence

from lastro.accounts import states as accounts
from lastro.kyc import states as kyc
from lastro.pix.keys import states as keys
from lastro.pix.payments import states as payments
from lastro.pix.payments.returns import RETURNED
from lastro.pix.qrcodes.charges import PAID
from lastro.pix.qrcodes.expiring import EXPIRED
from lastro.pix.refunds import states as refunds
from lastro.pix.transfers.crediting import RECEIVED
from lastro.transfers.states import COMPLETED as TRANSFERRED
from lastro.values.text import Invalid, Text
from lastro.webhooks import filters

_EMITTED = (
    *(edge.emits for edge in accounts.EDGES.values()),
    *(edge.emits for edge in kyc.EDGES.values()),
    *(edge.emits for edge in payments.EDGES.values()),
    *(edge.emits for edge in refunds.EDGES.values()),
    *(edge.emits for edge in keys.EDGES.values()),
    *(RECEIVED, RETURNED, PAID, EXPIRED, TRANSFERRED),
)
TYPES: Sequence[str] = sorted({kind for kind in _EMITTED if kind is not None})

_NO_SUCH_TYPE = Text(
    "Não há evento deste tipo: veja a lista em docs/api.md.", "There is no event of this type: see docs/api.md."
)


def parse(text: str) -> str:
    """A filter that lets something through. Raises Invalid: a typing error must not be a subscription to nothing."""
    wanted = filters.parse(text)
    if not types_of([wanted]):
        raise Invalid(_NO_SUCH_TYPE)
    return wanted


def types_of(wanted: Sequence[str]) -> list[str]:
    """The types that one of the filters lets through."""
    return [kind for kind in TYPES if filters.matches(wanted, kind)]
