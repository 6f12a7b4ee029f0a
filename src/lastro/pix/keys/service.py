"""What may be done with keys: register one, prove its possession, find it again, delete it.

The directory answers through the worker. Whoever asked for something waits a moment for that, with no transaction open;
what takes longer is told by an event.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro import idempotency
from lastro.accounts.models import Account
from lastro.accounts.rules import no_account
from lastro.attempt import Answer, Attempt, Overtaken
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.errors import BankError, Conflict, NotFound, Unavailable
from lastro.idempotency import once
from lastro.ledger import book
from lastro.outbox import queue
from lastro.outbox.queue import Promise
from lastro.paging import Found, page_of
from lastro.pix.keys import crossing, possession, resources, rules
from lastro.pix.keys.models import KeyHolder, PixKeyRow, expired
from lastro.pix.keys.order import Registration
from lastro.pix.keys.rules import KeyAccount
from lastro.pix.keys.states import STATUS, KeyStage, KeyStatus
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.providers.refusals import ALREADY_HERE, NO_SUCH_KEY, why_taken
from lastro.values.pix_key import KeyType
from lastro.values.tax_id import TaxId
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id

WAIT_SECONDS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.03, 0.3
_TRIES = 3  # while the database is away, or the account's lock is in the hands of many

_BEGUN = "(begun)"
_OVER = Text(
    "O registro desta chave foi substituído por outro mais novo, ou excluído.",
    "A newer registration took the place of this one, or it was deleted.",
)

_DECIDED = frozenset({KeyStage.ACTIVE, KeyStage.REMOVING, KeyStage.INACTIVE})


async def register(bank: Bank, caller: Caller, wanted: Registration, attempt: Attempt | None) -> Answer:
    """Take a registration, and wait a moment for the directory's word on it.

    A registration that was taken stands, whatever becomes of the answer: a repetition finds it by its id. Raises
    NotFound, Conflict, Unprocessable, RateLimited, Unavailable.
    """
    key_id = new_id(bank.now()) if attempt is None else _id_of(attempt)
    answered = await _take(bank, caller, wanted, key_id, attempt)
    return answered or await _outcome(bank, wanted.account_id, key_id, attempt, 201)


async def _take(
    bank: Bank, caller: Caller, wanted: Registration, key_id: UUID, attempt: Attempt | None
) -> Answer | None:
    """Write the registration down, unless it is there already; the answer, if this attempt got one before.

    The answer comes later, so the attempt is claimed now, with what it asks: another question under the same key is
    refused at once. After Unavailable the same is tried again: under the same id it can not be written twice.
    """
    claim = replace(attempt, operation=f"{attempt.operation} {_BEGUN}") if attempt else None
    for again in range(_TRIES):
        try:
            async with bank.db.transaction() as tx:
                answered = await _answered(tx, attempt)
                if answered is None:
                    account = await _locked_account(tx, caller, wanted.account_id)
                    begun = await _answered(tx, claim) is not None
                    if not begun and (again == 0 or await _read(tx, wanted.account_id, key_id) is None):
                        provider = await tx.get_one(ProviderRow, account.provider_id)
                        bank.providers.offer_of(provider).demand(*_features(wanted.kind))
                        await _begin(tx, caller, account, key_id, wanted, now=bank.now())
                        if claim is not None:
                            await idempotency.record(tx, [(claim, Answer(202, key_id.bytes))], now=bank.now())
                return answered
        except Overtaken:
            continue  # a twin was faster: look what it asked
        except Unavailable:
            if again == _TRIES - 1:
                raise
    raise Conflict(idempotency.STILL_RUNNING, retry_after=1)


def _features(kind: KeyType) -> Sequence[Feature]:
    """What a key of this type asks of the provider."""
    codes = [Feature.MESSAGES] if kind in rules.PROVEN_BY_CODE else []
    return [Feature.PIX_KEYS, *codes]


def _id_of(attempt: Attempt) -> UUID:
    """The id of what this attempt makes, so that its repetition finds it even if the first was never answered."""
    digest = hashlib.sha256(repr((*map(str, attempt.identity), attempt.fingerprint)).encode()).digest()
    return UUID(bytes=digest[:16], version=5)


async def _answered(tx: AsyncSession, attempt: Attempt | None) -> Answer | None:
    """The answer that this attempt got before. Raises Unprocessable for a key that served another question."""
    stored = (await idempotency.find(tx, [attempt])).get(attempt.identity) if attempt else None
    if isinstance(stored, BankError):
        raise stored
    return stored


async def _locked_account(tx: AsyncSession, caller: Caller, account_id: UUID) -> Account:
    """The caller's account, whose state and number of keys stand still until the end of `tx`. Raises NotFound."""
    await book.lock(tx, [account_id])
    query = owned(Account, caller).where(Account.id == account_id).with_for_update(key_share=True)
    account = (await tx.execute(query)).scalar_one_or_none()
    if account is None:
        raise no_account("/data/attributes/accountId")
    return account


async def _begin(
    tx: AsyncSession, caller: Caller, account: Account, key_id: UUID, wanted: Registration, *, now: datetime
) -> None:
    """Write the key and what is owed next: a code to its owner, or the question to the directory."""
    value = wanted.key.value if wanted.key else None
    alive = await tx.execute(
        select(PixKeyRow)
        .where(PixKeyRow.account_id == account.id, PixKeyRow.stage != KeyStage.INACTIVE)
        .order_by(PixKeyRow.id)
        .with_for_update()
    )
    keys = alive.scalars().all()
    over = [key for key in keys if key.stage is KeyStage.AWAITING_CODE and (key.value == value or expired(key, now))]
    await _judge(tx, caller, account, wanted, live_keys=len(keys) - len(over), now=now)
    for key in over:
        await crossing.cross(tx, key, KeyStage.INACTIVE, now=now)
    proven = wanted.kind not in rules.PROVEN_BY_CODE
    key = PixKeyRow(
        account_id=account.id,
        id=key_id,
        tenant_id=account.tenant_id,
        provider_id=account.provider_id,
        type=wanted.kind,
        value=value,
        holder_name=account.holder_name,
        stage=KeyStage.REGISTERING if proven else KeyStage.AWAITING_CODE,
        registration_id=uuid4(),
        code_expires_at=None if proven else now + rules.CODE_LIVES,
        version=1,
        created_at=now,
        updated_at=now,
    )
    tx.add(key)
    await tx.flush()
    if proven:
        await _ask_the_directory(tx, key)
    else:
        await queue.promise(tx, [Promise(crossing.PROVE, key.account_id, key.id)])


async def _judge(
    tx: AsyncSession, caller: Caller, account: Account, wanted: Registration, *, live_keys: int, now: datetime
) -> None:
    """Raise what forbids the registration, if something does. Others wait for the lock: ask what matters, no more."""
    document = TaxId(account.holder_document, account.holder_document_type)
    codes: Sequence[datetime] = ()
    if wanted.kind in rules.PROVEN_BY_CODE:
        codes = await _last_codes(tx, account.id, now)
    held_by, strict = None, False
    if wanted.key is not None:
        held_by = await _held_by(tx, caller, wanted.kind, wanted.key.value)
        strict = (await tx.get_one(ProviderRow, account.provider_id)).strict_documents
    facts = KeyAccount(account.id, account.status, document, live_keys, codes)
    refusal = rules.may_register(wanted, facts, held_by=held_by, strict=strict, now=now)
    if refusal is not None:
        raise refusal


async def _held_by(tx: AsyncSession, caller: Caller, kind: KeyType, value: str) -> UUID | None:
    """Whose the key is. Before possession is proven nobody learns that it is a customer's whom he does not reach."""
    query = select(KeyHolder.account_id, Account.tenant_id).join(Account, Account.id == KeyHolder.account_id)
    holder = (await tx.execute(query.where(KeyHolder.key_value == value))).one_or_none()
    if holder is None:
        return None
    account_id = UUID(str(holder.account_id))
    is_known = holder.tenant_id == caller.tenant_id and caller.reaches(account_id)
    return account_id if is_known or kind not in rules.PROVEN_BY_CODE else None


async def _last_codes(tx: AsyncSession, account_id: UUID, now: datetime) -> Sequence[datetime]:
    """When the account asked for its last codes of this hour."""
    query = (
        select(PixKeyRow.created_at)
        .where(
            PixKeyRow.account_id == account_id,
            PixKeyRow.code_expires_at.is_not(None),
            PixKeyRow.created_at > now - rules.CODES_WITHIN,
        )
        .order_by(PixKeyRow.created_at.desc())
        .limit(rules.MOST_CODES)
    )
    return (await tx.execute(query)).scalars().all()


async def _ask_the_directory(tx: AsyncSession, key: PixKeyRow) -> None:
    """From here on the key's value is nobody else's. Raises Conflict when it is somebody's already."""
    if key.value is not None:
        holder = await crossing.claim(tx, key)
        if holder is not None:
            raise rules.taken_by(holder, key.account_id)
    await queue.promise(tx, [Promise(crossing.REGISTER, key.account_id, key.id)])


async def confirm(bank: Bank, caller: Caller, key_id: UUID, code: str, attempt: Attempt | None) -> Answer:
    """Take the code that proves possession; the registration goes on. Raises NotFound, Conflict, Unprocessable."""
    async with bank.db.transaction() as tx:
        answered = await _answered(tx, attempt)
        key = await get(tx, caller, key_id)
        proven = possession.proves(code, key.id, bank.code_secret)
        refusal = None
        if answered is None:
            again = attempt is not None and proven
            refusal = await _try(tx, caller, key.account_id, key_id, proven=proven, again=again, now=bank.now())
    if refusal is not None:  # outside: the wrong try must be counted
        raise refusal
    return answered or await _outcome(bank, key.account_id, key_id, attempt, 200)


async def _try(
    tx: AsyncSession, caller: Caller, account_id: UUID, key_id: UUID, *, proven: bool, again: bool, now: datetime
) -> BankError | None:
    """Go on with a proven key; count a wrong try, the last of which ends the registration. `again`: a repetition that
    was never answered finds its own work done."""
    account = await _locked_account(tx, caller, account_id)
    key = await _read(tx, account_id, key_id, locked=True)
    assert key is not None  # noqa: S101 - keys are never forgotten
    if again and key.stage in {KeyStage.REGISTERING, KeyStage.ACTIVE}:
        return None
    refusal = rules.may_confirm(key.stage, key.code_expires_at, account.status, now=now)
    if refusal is not None:
        return refusal
    if proven:
        await crossing.cross(tx, key, KeyStage.REGISTERING, now=now)
        holder = await crossing.claim(tx, key)
        if holder is not None:
            key.failure_reason = ALREADY_HERE
            await crossing.cross(tx, key, KeyStage.INACTIVE, now=now)
            return rules.taken_by(holder, key.account_id)
        await queue.promise(tx, [Promise(crossing.REGISTER, key.account_id, key.id)])
        return None
    key.tries += 1
    if key.tries >= rules.MOST_TRIES:
        await crossing.cross(tx, key, KeyStage.INACTIVE, now=now)
    await tx.flush()
    return rules.wrong_code(key.tries)


async def remove(bank: Bank, caller: Caller, key_id: UUID) -> None:
    """Delete a key: it is the customer's no longer, and a moment later the directory's neither. Raises NotFound."""
    async with bank.db.transaction() as tx:
        account_id = (await get(tx, caller, key_id)).account_id
        await _locked_account(tx, caller, account_id)
        key = await _read(tx, account_id, key_id, locked=True)
        if key is None or STATUS[key.stage] is KeyStatus.INACTIVE or expired(key, bank.now()):
            raise NotFound(NO_SUCH_KEY)
        await crossing.take_away(tx, key, now=bank.now())
    bank.doorbell.ring()
    await _wait(bank, account_id, key_id, {KeyStage.INACTIVE})


async def _outcome(bank: Bank, account_id: UUID, key_id: UUID, attempt: Attempt | None, status: int) -> Answer:
    """Wait a moment, then answer with what has become of the key. Raises Conflict when the directory refused it."""
    bank.doorbell.ring()
    await _wait(bank, account_id, key_id, _DECIDED)

    async def look(tx: AsyncSession) -> resources.KeyDocument:
        key = await _read(tx, account_id, key_id)
        assert key is not None  # noqa: S101 - as above
        if key.failure_reason is not None:
            raise Conflict(why_taken(key.failure_reason), reason=key.failure_reason)
        if STATUS[key.stage] is KeyStatus.INACTIVE:
            raise Conflict(_OVER)
        return resources.document(key, now=bank.now())

    return await once(bank.db, attempt, status, bank.now(), look)


async def _wait(bank: Bank, account_id: UUID, key_id: UUID, stages: Collection[KeyStage]) -> None:
    """Until the key has one of these stages, or a moment has passed. No transaction is held meanwhile."""
    patience, pause = time.monotonic() + WAIT_SECONDS, _FIRST_PAUSE
    query = select(PixKeyRow.stage).where(PixKeyRow.account_id == account_id, PixKeyRow.id == key_id)
    while time.monotonic() < patience:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        with contextlib.suppress(Unavailable):
            async with bank.db.transaction() as tx:
                stage = (await tx.execute(query)).scalar_one()
            if stage in stages:
                return


async def get(tx: AsyncSession, caller: Caller, key_id: UUID) -> PixKeyRow:
    """One key of the caller's, whatever its status. Raises NotFound."""
    key = (await tx.execute(owned(PixKeyRow, caller).where(PixKeyRow.id == key_id))).scalar_one_or_none()
    if key is None:
        raise NotFound(NO_SUCH_KEY)
    return key


async def _read(tx: AsyncSession, account_id: UUID, key_id: UUID, *, locked: bool = False) -> PixKeyRow | None:
    """The key as it is now, not as `tx` has seen it before."""
    query = select(PixKeyRow).where(PixKeyRow.account_id == account_id, PixKeyRow.id == key_id)
    query = query.execution_options(populate_existing=True)
    return (await tx.execute(query.with_for_update() if locked else query)).scalar_one_or_none()


async def search(tx: AsyncSession, caller: Caller, query: resources.KeyQuery, *, now: datetime) -> Found[PixKeyRow]:
    """The caller's keys under the query's filters, newest first; without a status, what is pending or active."""
    wanted = {KeyStatus.PENDING, KeyStatus.ACTIVE} if query.status is None else {query.status}
    filters = [_shown_as(wanted, now)]
    if query.account_id is not None:
        filters.append(PixKeyRow.account_id == query.account_id)
    if query.key_type is not None:
        filters.append(PixKeyRow.type == query.key_type)
    order = [PixKeyRow.created_at, PixKeyRow.id]
    return await page_of(tx, owned(PixKeyRow, caller), filters, order, query.page())


def _shown_as(wanted: Collection[KeyStatus], now: datetime) -> ColumnElement[bool]:
    """What `resources` shows with one of these statuses: a code that has expired counts as inactive."""
    stages = [stage for stage, status in STATUS.items() if status in wanted]
    over = and_(PixKeyRow.stage == KeyStage.AWAITING_CODE, PixKeyRow.code_expires_at <= now)
    if KeyStatus.INACTIVE in wanted:
        return or_(PixKeyRow.stage.in_(stages), over)
    return and_(PixKeyRow.stage.in_(stages), not_(over))
