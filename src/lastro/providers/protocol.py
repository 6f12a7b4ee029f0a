"""What Lastro asks of a provider: find a payee, settle a payment, open an account, hear the news.

An adapter answers with an outcome when it knows one, and raises when it does not know: `ProviderUnavailable` means
"nothing is known", never "it failed". Amounts are `Money`. Times are aware UTC datetimes. No adapter sees the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId


@dataclass(frozen=True, slots=True)
class Holder:
    """Who owns an account: the name in the tax register and the CPF or CNPJ."""

    name: str
    tax_id: TaxId


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a Pix: a holder and the account, as far as the provider shows them.

    A stranger's document may be covered, and the account undisclosed: see `TaxId` and `BankAccount`.
    """

    name: str
    tax_id: TaxId
    account: BankAccount


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """What the directory (DICT) answers to a key.

    With an `end_to_end_id`, the provider has made the id of the payment that may follow: it goes out under that one.
    """

    key: PixKey
    party: Party
    created_at: datetime | None
    end_to_end_id: EndToEndId | None = None


class Initiation(StrEnum):
    """How the payer came by the payee's account: by typing a key, by a static or by a dynamic QR code."""

    KEY = "KEY"
    STATIC_QR_CODE = "STATIC_QR_CODE"
    DYNAMIC_QR_CODE = "DYNAMIC_QR_CODE"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One payment order to the rail (pacs.008). Built from frozen facts only: the same payment gives the same bytes."""

    end_to_end_id: EndToEndId
    amount: Money
    payer: Party
    payee: Party
    key: PixKey
    description: str | None
    accepted_at: datetime
    initiation: Initiation = Initiation.KEY
    txid: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnInstruction:
    """One return (devolução, pacs.004) of a Pix that we received. `account` is the one that received it.

    Some providers know our ids by account: at another one, a repetition would give back what was given back already.
    """

    return_id: EndToEndId
    original_end_to_end_id: EndToEndId
    account: BankAccount
    amount: Money
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """The rail moved the money (ACSC)."""

    at: datetime
    external_ref: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The rail refused, and nothing moved (RJCT). `reason` is its code, such as AC03."""

    reason: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """The rail has it and will speak later (ACSP)."""


Outcome = Settled | Rejected | InFlight


@dataclass(frozen=True, slots=True)
class Opened:
    """The provider opened the account."""

    branch: str
    number: str


@dataclass(frozen=True, slots=True)
class KycSide:
    """One side of a customer's document."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KycPaper:
    """A customer's document: its type in the words of the contract, front and back."""

    type: str
    front: KycSide
    back: KycSide | None


class KeyDirectory(Protocol):
    """DICT: which account stands behind a key."""

    async def find_key(self, key: PixKey, *, ispb: str, payer_tax_id: TaxId, end_to_end_id: EndToEndId) -> KeyOwner:
        """Raise KeyNotFound, RateLimited, Unprocessable (not to be asked for) or ProviderUnavailable.

        May be repeated; it may be counted again, and the id that a provider made is another one then.
        """
        ...

    async def register_key(
        self, key: PixKey | None, *, kind: KeyType, owner: Holder, account: BankAccount, request_id: UUID
    ) -> PixKey:
        """Idempotent by `request_id`; the directory makes EVPs. Raise Conflict, RateLimited, ProviderUnavailable."""
        ...

    async def remove_key(self, key: PixKey, *, ispb: str, request_id: UUID) -> None:
        """A key that is already gone is removed. Raise ProviderUnavailable."""
        ...


class SettlementRail(Protocol):
    """SPI: where money moves between banks."""

    async def settle(self, instructions: Sequence[Instruction]) -> Sequence[Outcome | None]:
        """Up to 100 at once, one outcome each, in order; idempotent by end-to-end id. None: nothing is known of it.

        Safe to repeat after any exception, which means that nothing is known of any of them.
        Raise ProviderUnavailable.
        """
        ...

    async def give_back(self, instruction: ReturnInstruction) -> Outcome:
        """Return a received Pix; idempotent by return id. Raise ProviderUnavailable."""
        ...

    async def outcome_of(self, end_to_end_id: EndToEndId, *, account: BankAccount) -> Outcome | None:
        """Of a payment or a return; `account` is ours, which pays. None: the rail never saw it.

        Raise ProviderUnavailable.
        """
        ...


class AccountOffice(Protocol):
    """The provider's back office, which opens accounts and gives them their numbers."""

    async def open_account(
        self, holder: Holder, kind: AccountType, *, ispb: str, provider_id: UUID, request_id: UUID
    ) -> Opened:
        """Idempotent by `request_id`, the account's id. Raise ProviderUnavailable, Unprocessable."""
        ...

    async def submit_kyc(
        self,
        account_id: UUID,
        holder: Holder,
        papers: Sequence[KycPaper],
        *,
        ispb: str,
        provider_id: UUID,
        request_id: UUID,
    ) -> None:
        """Bring documents to be reviewed; the desk speaks later, of `request_id`, by which this is idempotent.

        A newer submission for the same account takes the place of the older. Raise ProviderUnavailable, Unprocessable.
        """
        ...


@dataclass(frozen=True, slots=True)
class WantedCode:
    """A code to be made. Without a `lifetime` it is a static one; with one, a charge of this amount."""

    id: UUID
    name: str
    amount: Money | None
    description: str | None
    lifetime: timedelta | None


@dataclass(frozen=True, slots=True)
class MadeCode:
    """The text of a code that a provider made, the txid of what is paid through it, and the key that is paid."""

    text: str
    txid: str
    key: PixKey
    expires_at: datetime | None


class CodeMaker(Protocol):
    """A provider that makes the codes under which its customers are paid, and publishes their charges."""

    async def make_code(self, wanted: WantedCode) -> MadeCode:
        """Idempotent by id. Raise Unprocessable, ProviderUnavailable: whether there is a code is not known then."""
        ...


class Messenger(Protocol):
    """Whoever sends e-mails and short messages to customers."""

    async def send_code(self, kind: KeyType, address: str, *, code: str, key_id: UUID, expires_at: datetime) -> None:
        """Send the code that proves possession of an e-mail address or a phone; repeating by `key_id` is harmless.

        Raise RateLimited, ProviderUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True)
class PixReceived:
    """Somebody at another bank paid one of our customers.

    `credited_at`: the provider has taken the money already, then. A refusal of ours sends nothing back.
    """

    end_to_end_id: EndToEndId
    amount: Money
    payer: Party
    payee_tax_id: TaxId
    payee_account: BankAccount
    key: str | None
    txid: str | None
    description: str | None
    created_at: datetime
    credited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ManyReceived:
    """What waited to be told, in one message: each is judged by itself, and answered in order."""

    pix: Sequence[PixReceived]


@dataclass(frozen=True, slots=True)
class PaymentStatus:
    """The rail's word on a payment that we sent, unasked."""

    end_to_end_id: EndToEndId
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ReturnReceived:
    """(Part of) a payment that we sent came back."""

    return_id: EndToEndId
    original_end_to_end_id: EndToEndId
    amount: Money
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KycReviewed:
    """The KYC desk's word on a submission, and on some of its documents, in the statuses and types of the contract."""

    account_id: UUID
    submission: UUID
    status: str
    note: str | None
    documents: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NoNews:
    """Something that asks nothing of us, such as a test call; `about` is for the log."""

    about: str


Notification = PixReceived | ManyReceived | PaymentStatus | ReturnReceived | KycReviewed | NoNews


class Notifier(Protocol):
    """How a provider's unasked messages are read."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Verify and translate. Raise Unauthorized for a bad signature, Validation for a body that makes no sense."""
        ...


@dataclass(frozen=True, slots=True)
class Probe:
    """One question put to a provider to see whether it answers, such as DICT or AUTH, and how long that took.

    `problem` is None when all is well.
    """

    name: str
    milliseconds: int
    problem: str | None


class Examined(Protocol):
    """A provider that can be put to the test, without any effect."""

    async def examine(self, *, ispb: str) -> Sequence[Probe]:
        """Ask what there is to ask, and measure. A provider that does not answer is a probe with a problem."""
        ...


class Provider(KeyDirectory, SettlementRail, AccountOffice, CodeMaker, Messenger, Notifier, Examined, Protocol):
    """All that an adapter may do. What is not in its features is Unprocessable, and the services ask for none of it."""
