"""Whether a key may be registered or confirmed: facts in, a refusal or nothing out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from lastro.accounts.rules import NOT_ACTIVE, WRONG_CHECK_DIGITS
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict, Flaw, RateLimited, Unprocessable
from lastro.pix.keys.order import Registration
from lastro.pix.keys.states import KeyStage
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import DocumentType, TaxId
from lastro.values.text import Text

MOST_KEYS = {DocumentType.CPF: 5, DocumentType.CNPJ: 20}  # an account; Manual Operacional do DICT, 1
MOST_CODES = 10
CODES_WITHIN = timedelta(hours=1)
CODE_LIVES = timedelta(minutes=30)
MOST_TRIES = 5

PROVEN_BY_CODE = frozenset({KeyType.EMAIL, KeyType.PHONE})
_DOCUMENTS = {KeyType.CPF: DocumentType.CPF, KeyType.CNPJ: DocumentType.CNPJ}

_NOT_THE_HOLDERS = Text(
    "Uma chave CPF ou CNPJ deve ser o documento do titular da conta.",
    "A CPF or CNPJ key must be the document of the account's holder.",
)
_ANOTHERS = Text("Chave Pix já registrada em outra conta.", "Pix key already registered for another account.")
_ALREADY = Text("Chave Pix já registrada nesta conta.", "Pix key already registered for this account.")
_FULL = Text(
    "A conta já tem {most} chaves Pix, o máximo permitido.", "The account already has {most} Pix keys, the maximum."
)
_TOO_MANY_CODES = Text(
    "A conta já pediu {most} códigos na última hora. Aguarde e tente de novo.",
    "The account has asked for {most} codes within the last hour. Wait, then try again.",
)
_NOT_AWAITING = Text("A chave não está à espera de um código.", "The key does not wait for a code.")
_OVER = Text("O prazo do código acabou: registre a chave de novo.", "The code has expired: register the key again.")
_WRONG = Text("Código incorreto. Tentativas restantes: {left}.", "Wrong code. Tries left: {left}.")
_WRONG_AND_OVER = Text(
    "Código incorreto. As tentativas acabaram: registre a chave de novo.",
    "Wrong code. No tries are left: register the key again.",
)


@dataclass(frozen=True, slots=True)
class KeyAccount:
    """What deciding needs of an account, read under its lock. `codes` says when it asked for its last ten codes."""

    id: UUID
    status: AccountStatus
    document: TaxId
    live_keys: int
    codes: Sequence[datetime]


def may_register(
    wanted: Registration, account: KeyAccount, *, held_by: UUID | None, strict: bool, now: datetime
) -> BankError | None:
    """Judge a registration. `held_by` is the account that has this key now, if one has."""
    if account.status is not AccountStatus.ACTIVE:
        return Conflict(NOT_ACTIVE)
    if wanted.key is not None and (flaw := _flaw_of_document(wanted.key, account.document, strict=strict)) is not None:
        return Unprocessable(flaw, flaws=[Flaw(flaw, pointer="/data/attributes/keyValue")])
    if held_by is not None:
        return taken_by(held_by, account.id)
    most = MOST_KEYS[account.document.kind]
    if account.live_keys >= most:
        return Conflict(_FULL.fill(most=most))
    if wanted.kind in PROVEN_BY_CODE and len(account.codes) >= MOST_CODES:
        wait = min(account.codes) + CODES_WITHIN - now
        return RateLimited(_TOO_MANY_CODES.fill(most=MOST_CODES), retry_after=max(1, -(-wait // timedelta(seconds=1))))
    return None


def _flaw_of_document(key: PixKey, holder: TaxId, *, strict: bool) -> Text | None:
    document_type = _DOCUMENTS.get(key.kind)
    if document_type is None:
        return None
    if holder != TaxId(key.value, document_type):
        return _NOT_THE_HOLDERS
    return WRONG_CHECK_DIGITS if strict and not key.has_valid_check_digits else None


def taken_by(holder: UUID, account_id: UUID) -> Conflict:
    """The key is somebody's already; who, is nobody else's business."""
    return Conflict(_ALREADY if holder == account_id else _ANOTHERS)


def may_confirm(
    stage: KeyStage, expires_at: datetime | None, account: AccountStatus, *, now: datetime
) -> BankError | None:
    """Whether a code may be tried at all."""
    if stage is not KeyStage.AWAITING_CODE or expires_at is None:
        return Conflict(_NOT_AWAITING)
    if expires_at <= now:
        return Conflict(_OVER)
    return None if account is AccountStatus.ACTIVE else Conflict(NOT_ACTIVE)


def wrong_code(tries: int) -> Unprocessable:
    """The answer to the wrong code that makes it so many."""
    left = MOST_TRIES - tries
    text = _WRONG.fill(left=left) if left > 0 else _WRONG_AND_OVER
    return Unprocessable(text, flaws=[Flaw(text, pointer="/data/attributes/code")])
