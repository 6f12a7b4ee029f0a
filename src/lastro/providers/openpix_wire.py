"""The words of OpenPix's public API, and what they are in ours: every translation between its JSON and Lastro.

Amounts are integers of centavos there. The `correlationID` of a payment is our end-to-end id, that of a refund our
return id, that of a code our id of it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lastro.providers.protocol import (
    InFlight,
    Instruction,
    KeyOwner,
    MadeCode,
    Outcome,
    Party,
    Rejected,
    ReturnInstruction,
    Settled,
    WantedCode,
)
from lastro.values import brcode
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.brcode import DynamicCode, StaticCode
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId

FAILED = "ED05"  # SPI's word for a failure that has no better one
BY_KEY_ALONE = "AG03"

_KEY_TYPES = {kind: "RANDOM" if kind is KeyType.EVP else kind.value for kind in KeyType}
_KEY_TYPES_READ = {word: kind for kind, word in _KEY_TYPES.items()} | {"EVP": KeyType.EVP}
_ACCOUNT_TYPES = {"CACC": AccountType.CHECKING, "SVGS": AccountType.SAVINGS, "TRAN": AccountType.PAYMENT}
_WAITING, _ON_ITS_WAY, _DONE = {"CREATED"}, {"APPROVED", "PROCESSING", "IN_PROCESSING"}, {"CONFIRMED", "REFUNDED"}
_REFUSED = {"FAILED", "DENIED", "REJECTED", "NOT_ACCOMPLISHED"}
# Its own codes, and the nearest of SPI's.
_REASONS = {
    "PIX_KEY_INFO_NOT_FOUND": "AC03",
    "INVALID_PIX_KEY": "AC03",
    "NOT_ENOUGH_BALANCE": "AM04",
    "ENTRY_ASSOCIATED_WITH_RESTRICTED_ACCOUNT_OR_USER": "FRAD",
}
_SPI_CODE = re.compile(r"(?:A[BCGM]|B[EM]|C[HN]|D[STU]|ED|FF|MD|R[CR]|SL)[0-9]{2}|AGNT|DS0[GH]|DUPL|FRAD|INDT|UPAY")
_TXID = re.compile(r"[a-zA-Z0-9]{1,35}")
_CHARGE_TXID = re.compile(r"[a-zA-Z0-9]{26,35}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
_BRANCH_DIGITS = 4
_LONGEST_TEXT = 300


def _storable(text: str) -> str:
    if _NOT_STORABLE.search(text):
        raise ValueError("holds a character that Postgres can not store")
    return text


class Read(BaseModel):
    """Something that OpenPix says. It may say more than we know of, but not otherwise."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


Told = Annotated[str, Field(max_length=_LONGEST_TEXT), AfterValidator(_storable)]
Centavos = Annotated[int, Field(ge=0)]


class TaxIdSaid(Read):
    """A document with its kind, which its length says too."""

    tax_id: Annotated[str, Field(alias="taxID")]


class HolderSaid(Read):
    """Who holds an account."""

    name: Told | None = None
    tax_id: Annotated[TaxIdSaid | None, Field(alias="taxID")] = None


class AccountSaid(Read):
    """An account, its number filled with zeros from the left."""

    branch: str
    account: str
    account_type: Annotated[str | None, Field(alias="accountType")] = None


class PspSaid(Read):
    """The bank: `id` is its ISPB."""

    id: str


class _Checked(Read):
    key: Annotated[str, Field(alias="pixKey")]
    type: str
    end_to_end_id: Annotated[str, Field(alias="pixKeyEndToEndId")]


class _OwnerChecked(Read):
    name: Annotated[Told, Field(min_length=1)]
    tax_id: Annotated[str, Field(alias="taxID")]
    psp: str


class _KeyCheck(_Checked):
    owner: _OwnerChecked


class _Payment(Read):
    value: Centavos
    status: str
    correlation_id: Annotated[str, Field(alias="correlationID")]
    alias: Annotated[str | None, Field(alias="destinationAlias")] = None


class MovementSaid(Read):
    """The Pix that a payment became."""

    end_to_end_id: Annotated[Told | None, Field(alias="endToEndId")] = None
    time: str | None = None
    why_refused: Annotated[str | None, Field(alias="providerRejectedReason")] = None


class _PaymentAnswer(Read):
    payment: _Payment
    transaction: MovementSaid | None = None


class _Refund(Read):
    value: Centavos
    correlation_id: Annotated[str, Field(alias="correlationID")]
    status: str | None = None
    time: str | None = None
    its_id: Annotated[Told | None, Field(alias="returnIdentification")] = None
    refund_id: Annotated[Told | None, Field(alias="refundId")] = None


class _RefundAnswer(Read):
    refund: _Refund | None = None
    one_refund: Annotated[_Refund | None, Field(alias="pixTransactionRefund")] = None


class _PixMethod(Read):
    txid: Annotated[str, Field(alias="txId")]


class _PaymentMethods(Read):
    pix: _PixMethod | None = None


class _Charge(Read):
    value: Centavos
    correlation_id: Annotated[str, Field(alias="correlationID")]
    text: Annotated[str, Field(alias="brCode")]
    expires_at: Annotated[str, Field(alias="expiresDate")]
    key: Annotated[str, Field(alias="pixKey")]
    txid: Annotated[str | None, Field(alias="transactionID")] = None
    methods: Annotated[_PaymentMethods | None, Field(alias="paymentMethods")] = None


class _ChargeAnswer(Read):
    charge: _Charge


class _StaticCode(Read):
    correlation_id: Annotated[str, Field(alias="correlationID")]
    text: Annotated[str, Field(alias="brCode")]


class _StaticAnswer(Read):
    code: Annotated[_StaticCode, Field(alias="pixQrCode")]


class _AccountListed(Read):
    account_id: Annotated[str, Field(alias="accountId", pattern=r"^[A-Za-z0-9]{1,64}$")]
    is_default: Annotated[bool, Field(alias="isDefault")]


class _Accounts(Read):
    accounts: list[_AccountListed]


class _OneAccount(Read):
    tax_id: Annotated[str, Field(alias="taxId")]
    branch: str
    account: str


class _AccountAnswer(Read):
    account: _OneAccount


class _Tokens(Read):
    tokens: int


class _Error(Read):
    error: str


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as OpenPix has it. No outcome: it waits to be approved, and will not move by itself."""

    outcome: Outcome | None


def payment_out(instruction: Instruction) -> dict[str, Any]:
    """A payment to be approved by a second call; the same instruction always gives the same request."""
    request = {
        "type": "PIX_KEY",
        "value": instruction.amount.centavos,
        "destinationAlias": instruction.key.value,
        "destinationAliasType": _KEY_TYPES[instruction.key.kind],
        "correlationID": instruction.end_to_end_id,
        "pixKeyEndToEndId": instruction.end_to_end_id,
    }
    return request if instruction.description is None else request | {"comment": instruction.description}


def payment_in(answer: object, end_to_end_id: EndToEndId, instruction: Instruction | None = None) -> Payment:
    """Our payment as it stands there. Raises ValueError when it is none, or another one than was ordered."""
    said = _PaymentAnswer.model_validate(answer)
    if said.payment.correlation_id != end_to_end_id:
        raise ValueError("OpenPix answered another payment")
    if instruction is not None and (
        said.payment.value != instruction.amount.centavos or said.payment.alias not in {None, instruction.key.value}
    ):
        raise ValueError("OpenPix has another payment under this id")
    if said.payment.status in _WAITING:
        return Payment(None)
    return Payment(outcome_in(said.payment.status, said.transaction or MovementSaid()))


def outcome_in(status: str, movement: MovementSaid) -> Outcome:
    """What became of something that moves. Raises ValueError for a status that we do not know."""
    if status in _ON_ITS_WAY:
        return InFlight()
    if status in _REFUSED:
        return Rejected(reason_in(movement.why_refused))
    if status in _DONE and movement.time is not None:
        return Settled(time_in(movement.time), movement.end_to_end_id)
    raise ValueError("a status that we do not know, or a settlement without a time")


def reason_in(*said: str | None) -> str:
    """SPI's code, if somewhere in what was said one stands, or one of OpenPix's that has a counterpart."""
    for text in filter(None, said):
        code = _REASONS.get(text.strip()) or next(iter(_SPI_CODE.findall(text[:_LONGEST_TEXT])), None)
        if code is not None:
            return code
    return FAILED


def refund_out(instruction: ReturnInstruction) -> dict[str, Any]:
    """A refund (devolução)."""
    return {
        "transactionEndToEndId": instruction.original_end_to_end_id,
        "correlationID": instruction.return_id,
        "value": instruction.amount.centavos,
    }


def refund_in(answer: object, return_id: EndToEndId, amount: Money | None = None) -> Outcome:
    """Our refund as it stands there. Raises ValueError when it is none, or another one."""
    said = _RefundAnswer.model_validate(answer)
    refund = said.refund or said.one_refund
    if refund is None or refund.correlation_id != return_id or (amount and refund.value != amount.centavos):
        raise ValueError("OpenPix answered another refund")
    if refund.status is None:  # the answer about one refund may leave it out
        return InFlight()
    return outcome_in(refund.status, MovementSaid(endToEndId=refund.its_id or refund.refund_id, time=refund.time))


def key_owner_in(answer: object) -> KeyOwner:
    """Who stands behind a key: name, bank, of a person parts of the CPF, of the account nothing. Raises ValueError."""
    said = _KeyCheck.model_validate(answer)
    kind = _KEY_TYPES_READ.get(said.type)
    if kind is None:
        raise ValueError("a type of key that we do not know")
    return KeyOwner(
        key=PixKey.parse(kind, said.key),
        party=Party(said.owner.name, TaxId.shown(said.owner.tax_id), BankAccount.undisclosed(said.owner.psp)),
        created_at=None,
        end_to_end_id=payment_id(said.end_to_end_id),
    )


def charge_out(wanted: WantedCode) -> dict[str, Any]:
    """A charge: of one amount, for some time."""
    assert wanted.amount is not None  # noqa: S101 - a charge has one
    assert wanted.lifetime is not None  # noqa: S101
    request: dict[str, Any] = {
        "correlationID": str(wanted.id),
        "type": "DYNAMIC",
        "value": wanted.amount.centavos,
        "expiresIn": int(wanted.lifetime.total_seconds()),
    }
    return request if wanted.description is None else request | {"comment": wanted.description}


def charge_in(answer: object, wanted: WantedCode) -> MadeCode:
    """The charge's code. Raises ValueError unless it is what was wanted, by our own reading of its text."""
    charge = _ChargeAnswer.model_validate(answer).charge
    txid = charge.methods.pix.txid if charge.methods and charge.methods.pix else charge.txid
    if charge.correlation_id != str(wanted.id) or wanted.amount is None or charge.value != wanted.amount.centavos:
        raise ValueError("OpenPix made another charge")
    if txid is None or not _CHARGE_TXID.fullmatch(txid) or not isinstance(brcode.read(charge.text), DynamicCode):
        raise ValueError("not a charge's code")
    return MadeCode(charge.text.strip(), txid, PixKey.of_unknown_kind(charge.key), time_in(charge.expires_at))


def static_out(wanted: WantedCode) -> dict[str, Any]:
    """A static code, with an amount or without."""
    request: dict[str, Any] = {"name": wanted.name, "correlationID": str(wanted.id)}
    if wanted.amount is not None:
        request["value"] = wanted.amount.centavos
    return request if wanted.description is None else request | {"comment": wanted.description}


def static_in(answer: object, wanted: WantedCode) -> MadeCode:
    """The static code. Raises ValueError unless it is what was wanted, by our own reading of its text."""
    code = _StaticAnswer.model_validate(answer).code
    said = brcode.read(code.text)
    if code.correlation_id != str(wanted.id) or not isinstance(said, StaticCode) or said.amount != wanted.amount:
        raise ValueError("OpenPix made another code")
    if said.txid is None or said.withdrawal_facilitator is not None or said.recurrence is not None:
        raise ValueError("not a code through which a payment could be told from others")
    return MadeCode(code.text.strip(), said.txid, said.key, None)


def default_account_in(answer: object) -> str | None:
    """The id of the account on which our AppID acts, if there is one. Raises ValueError."""
    accounts = _Accounts.model_validate(answer).accounts
    return next((each.account_id for each in accounts if each.is_default), None)


def own_account_in(answer: object, ispb: str) -> tuple[TaxId, BankAccount]:
    """Whose account it is, and its numbers. Raises ValueError."""
    account = _AccountAnswer.model_validate(answer).account
    said = AccountSaid(branch=account.branch, account=account.account)
    return TaxId.parse(account.tax_id), account_in(said, ispb, AccountType.PAYMENT)


def tokens_in(answer: object) -> int:
    """How many questions to the directory are left. Raises ValueError."""
    return _Tokens.model_validate(answer).tokens


def error_in(answer: object) -> str | None:
    """What OpenPix says against a request; None: whoever refused it was somebody else."""
    try:
        return _Error.model_validate(answer).error
    except ValueError:
        return None


def account_in(said: AccountSaid, ispb: str, kind: AccountType | None = None) -> BankAccount:
    """An account without the zeros before its number, and with four digits of branch. Raises ValueError."""
    if kind is None:
        kind = _ACCOUNT_TYPES.get(said.account_type or "")
    if kind is None:
        raise ValueError("a type of account that we do not know")
    number = said.account.replace("-", "").lstrip("0") or "0"
    return BankAccount.from_bare(ispb, said.branch.zfill(_BRANCH_DIGITS), number, kind)


def payment_id(text: str) -> EndToEndId:
    """The id of a payment, not of a return. Raises ValueError."""
    if (end_to_end_id := EndToEndId.parse(text)).is_return:
        raise ValueError("the id of a return")
    return end_to_end_id


def txid_in(text: str | None) -> str | None:
    """The txid, if it is one."""
    return text if text and _TXID.fullmatch(text) else None


def time_in(text: str) -> datetime:
    """A time in UTC. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError("not a time in UTC")
    return datetime.fromisoformat(text)
