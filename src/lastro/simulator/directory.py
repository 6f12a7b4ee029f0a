"""DICT, the directory of Pix keys: who stands behind a key, and the registration and removal of our keys."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator import lookup_limits
from lastro.simulator.book import CustomerAccount, DirectoryEntry
from lastro.simulator.network import TheNetwork, another_bank
from lastro.simulator.reject_codes import rejecting_key
from lastro.simulator.wire import (
    MAX_KEY_LENGTH,
    Account,
    BareTaxId,
    Ispb,
    KeyText,
    Line,
    Refusal,
    Strict,
    answer,
    bad_request,
    not_found,
    read,
    rfc3339,
)
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Invalid

router = APIRouter(prefix="/dict/entries")

_LOCK_OF_WRITERS = 7_205_002
_KEYS_OF_A_PERSON, _KEYS_OF_A_COMPANY = 5, 20  # an account; Manual Operacional do DICT, 1
_CPF_LENGTH = 11
# Where the keys that SPI rejects live; its CPF is arithmetically right.
_FICTITIOUS = {"owner_name": "Conta de Recusa", "owner_tax_id": "52998224725", "branch": "0001", "number": "777778"}
_LONG_AGO = datetime(2020, 11, 16, 12, tzinfo=UTC)  # the day on which Pix began


class Owner(Strict):
    """Who owns a key."""

    type: Literal["NATURAL_PERSON", "LEGAL_PERSON"]
    tax_id: BareTaxId
    name: Line


class Registration(Strict):
    """`POST /dict/entries`; an EVP has no key yet, every other type has one."""

    request_id: UUID
    key_type: KeyType
    key: KeyText | None = None
    account: Account
    owner: Owner


class Removal(Strict):
    """`POST /dict/entries/{key}/delete`."""

    request_id: UUID
    ispb: Ispb
    reason: Line


@router.get("/{key:path}")
async def find(key: str, request: Request, network: TheNetwork) -> Response:
    """Who stands behind a key."""
    asking, payer_id, end_to_end_id = _who_asks(request)
    async with network.book.transaction() as tx:
        bucket = await lookup_limits.hold(tx, payer_id) if network.settings.limit_lookups else None
        entry = await entry_of(tx, key, asking)
        if entry is not None and entry.ispb == asking:
            raise Refusal(400, "EntryCannotBeQueriedForBookTransfer", "A chave é do próprio participante.")
        if bucket is not None:
            cost = lookup_limits.COST_OF_FOUND if entry else lookup_limits.COST_OF_NOT_FOUND
            await lookup_limits.spend(tx, bucket, cost, end_to_end_id)
    # Refused only now: a search in vain must be paid for, and a refusal inside would roll that back.
    if entry is None:
        raise not_found("A chave não está no diretório.")
    return answer(_written(entry))


@router.post("")
async def register(request: Request, network: TheNetwork) -> Response:
    """Register a key of ours."""
    wanted = await read(request, Registration)
    key = _key_of(wanted)
    async with network.book.transaction() as tx:
        # Writers take turns: the limits count rows that are not there yet.
        await tx.execute(select(func.pg_advisory_xact_lock(_LOCK_OF_WRITERS)))
        entry = await tx.get(DirectoryEntry, wanted.request_id)
        if entry is None:
            entry = await _registered(tx, wanted, key, network.clock.now())
        elif _facts(entry) != _wanted_facts(wanted) or key not in (None, entry.key):
            raise Refusal(409, "RequestIdAlreadyUsed", "O requestId já serviu para outro pedido.")
    return answer(_written(entry), 201)


@router.post("/{key:path}/delete")
async def remove(key: str, request: Request, network: TheNetwork) -> Response:
    """Remove a key of ours."""
    removal = await read(request, Removal)
    async with network.book.transaction() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(_LOCK_OF_WRITERS)))
        done = select(DirectoryEntry.request_id).where(DirectoryEntry.removal_id == removal.request_id)
        if (await tx.execute(done)).first() is None:
            entry = await _live(tx, key)
            if entry is None or entry.ispb != removal.ispb:
                raise not_found("A chave não está no diretório sob este participante.")
            entry.removed_at, entry.removal_id = network.clock.now(), removal.request_id
    return answer({})


async def entry_of(tx: AsyncSession, key: str, asking: str) -> DirectoryEntry | None:
    """The entry of a key: a registered one, or that of a key which SPI will reject, at a bank other than `asking`."""
    if rejecting_key(key) is None:
        return await _live(tx, key)
    return DirectoryEntry(
        key=key,
        key_type=KeyType.EMAIL,
        ispb=another_bank(asking),
        type="CACC",
        opened_at=_LONG_AGO,
        created_at=_LONG_AGO,
        **_FICTITIOUS,
    )


async def _live(tx: AsyncSession, key: str) -> DirectoryEntry | None:
    if len(key) > MAX_KEY_LENGTH or "\0" in key:
        return None
    statement = select(DirectoryEntry).where(DirectoryEntry.key == key, DirectoryEntry.removed_at.is_(None))
    return (await tx.execute(statement)).scalar_one_or_none()


def _who_asks(request: Request) -> tuple[str, str, str]:
    """The three headers without which DICT answers nothing: participant, payer, payment."""
    asking = request.headers.get("pi-requestingparticipant", "")
    try:
        payer_id = TaxId.parse(request.headers.get("pi-payerid", "")).value
        end_to_end_id = EndToEndId.parse(request.headers.get("pi-endtoendid", ""))
    except Invalid:
        asking, payer_id, end_to_end_id = "", "", EndToEndId()
    if len(asking) != 8 or not asking.isalnum():  # noqa: PLR2004 - an ISPB
        raise bad_request("Faltam PI-RequestingParticipant, PI-PayerId e PI-EndToEndId, ou algum deles não serve.")
    return asking, payer_id, end_to_end_id


def _key_of(wanted: Registration) -> str | None:
    """The key to register, in the directory's spelling; None for an EVP. Raises Refusal 400."""
    if (wanted.key is None) != (wanted.key_type is KeyType.EVP):
        raise bad_request("Uma chave EVP é feita pelo diretório; as outras vêm em key.")
    if wanted.key is None:
        return None
    try:
        normalised = PixKey.parse(wanted.key_type, wanted.key).value
    except Invalid as error:
        raise Refusal(400, "EntryInvalid", error.text.pt) from None
    if normalised != wanted.key:
        raise Refusal(400, "EntryInvalid", "A chave não está na grafia do diretório.")
    if wanted.key_type in (KeyType.CPF, KeyType.CNPJ) and normalised != wanted.owner.tax_id:
        raise Refusal(400, "EntryInvalid", "Uma chave CPF ou CNPJ é do próprio titular.")
    return normalised


async def _registered(tx: AsyncSession, wanted: Registration, key: str | None, now: datetime) -> DirectoryEntry:
    owner, account = wanted.owner, wanted.account
    if key is not None and (existing := await entry_of(tx, key, account.ispb)) is not None:
        raise _taken(existing, wanted)
    same_account = (
        DirectoryEntry.ispb == account.ispb,
        DirectoryEntry.branch == account.branch,
        DirectoryEntry.number == account.number,
        DirectoryEntry.type == account.type,
        DirectoryEntry.removed_at.is_(None),
    )
    keys = (await tx.execute(select(func.count()).select_from(DirectoryEntry).where(*same_account))).scalar_one()
    if keys >= (_KEYS_OF_A_PERSON if len(owner.tax_id) == _CPF_LENGTH else _KEYS_OF_A_COMPANY):
        raise Refusal(409, "EntryLimitExceeded", "A conta já tem todas as chaves que pode ter.")
    place = (account.ispb, account.branch, account.number)
    columns = (CustomerAccount.ispb, CustomerAccount.branch, CustomerAccount.number)
    opened = select(CustomerAccount.opened_at).where(*(c == v for c, v in zip(columns, place, strict=True)))
    entry = DirectoryEntry(
        request_id=wanted.request_id,
        key=key or str(uuid4()),
        key_type=wanted.key_type,
        opened_at=(await tx.execute(opened)).scalar_one_or_none() or now,
        owner_name=owner.name,
        owner_tax_id=owner.tax_id,
        created_at=now,
        **account.model_dump(),
    )
    tx.add(entry)
    return entry


def _taken(existing: DirectoryEntry, wanted: Registration) -> Refusal:
    """Why a key that somebody holds can not be registered."""
    if existing.owner_tax_id != wanted.owner.tax_id:
        return Refusal(409, "EntryKeyOwnedByDifferentPerson", "A chave é de outra pessoa.")
    if existing.ispb != wanted.account.ispb:
        return Refusal(409, "EntryKeyInCustodyOfDifferentParticipant", "A chave está registrada em outra instituição.")
    return Refusal(409, "EntryAlreadyExists", "A chave já está registrada nesta instituição.")


def _facts(entry: DirectoryEntry) -> tuple[str, ...]:
    return entry.key_type, entry.ispb, entry.branch, entry.number, entry.type, entry.owner_tax_id, entry.owner_name


def _wanted_facts(wanted: Registration) -> tuple[str, ...]:
    account = wanted.account
    where = (account.ispb, account.branch, account.number, account.type)
    return wanted.key_type, *where, wanted.owner.tax_id, wanted.owner.name


def _written(entry: DirectoryEntry) -> dict[str, object]:
    return {
        "key": entry.key,
        "keyType": entry.key_type,
        "account": {
            "ispb": entry.ispb,
            "branch": entry.branch,
            "number": entry.number,
            "type": entry.type,
            "openedAt": rfc3339(entry.opened_at),
        },
        "owner": {
            "type": "NATURAL_PERSON" if len(entry.owner_tax_id) == _CPF_LENGTH else "LEGAL_PERSON",
            "taxId": entry.owner_tax_id,
            "name": entry.owner_name,
        },
        "createdAt": rfc3339(entry.created_at),
        "ownedSince": rfc3339(entry.created_at),
    }
