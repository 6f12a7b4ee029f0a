"""Same key, same answer; same key, other question: refused. The answer lies in the transaction of its effect.

Look first, do, then record: the primary key is the guard. When two processes race with one key, the later one meets
the earlier row, rolls back whatever it did, looks again and replays. A refusal records nothing, so it uses up no key.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ARRAY, BigInteger, LargeBinary, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from lastro.attempt import Answer, Attempt, Overtaken
from lastro.database import Base, Database
from lastro.errors import BankError, Conflict, Flaw, Unprocessable
from lastro.values.text import Text as Sentence

_REUSED = Sentence(
    "Esta Idempotency-Key já foi usada com outra requisição.",
    "This Idempotency-Key was already used with another request.",
)
STILL_RUNNING = Sentence(
    "Uma requisição com esta Idempotency-Key ainda está em andamento.",
    "A request with this Idempotency-Key is still running.",
)


class StoredAnswer(Base):
    """What a key was answered. Keyed by what must be unique; the resource has its own guards, which never expire."""

    __tablename__ = "idempotency"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


_FIND = text(
    """
    SELECT i.tenant_id, i.operation, i.key, i.fingerprint, i.status, i.body
      FROM unnest(:tenant_ids, :operations, :keys) AS asked(tenant_id, operation, key)
      JOIN idempotency i USING (tenant_id, operation, key)
    """
).bindparams(
    bindparam("tenant_ids", type_=ARRAY(Uuid())),
    bindparam("operations", type_=ARRAY(Text())),
    bindparam("keys", type_=ARRAY(Text())),
)


async def find(tx: AsyncSession, attempts: Sequence[Attempt]) -> Mapping[tuple[UUID, str, str], Answer | Unprocessable]:
    """What these attempts were answered before; Unprocessable where the key was used for another question."""
    if not attempts:
        return {}
    asked = {attempt.identity: attempt.fingerprint for attempt in attempts}
    rows = await tx.execute(
        _FIND,
        {
            "tenant_ids": [tenant_id for tenant_id, _, _ in asked],
            "operations": [operation for _, operation, _ in asked],
            "keys": [key for _, _, key in asked],
        },
    )
    found: dict[tuple[UUID, str, str], Answer | Unprocessable] = {}
    for row in rows:
        identity = (row.tenant_id, row.operation, row.key)
        same = row.fingerprint == asked[identity]
        found[identity] = Answer(row.status, row.body, replayed=True) if same else reused()
    return found


def reused() -> Unprocessable:
    """The key was used for another question."""
    return Unprocessable(_REUSED, flaws=[Flaw(_REUSED, header="Idempotency-Key")])


_RECORD = text(
    """
    INSERT INTO idempotency (tenant_id, operation, key, fingerprint, status, body, created_at)
    SELECT u.*, :created_at FROM unnest(:tenant_ids, :operations, :keys, :fingerprints, :statuses, :bodies)
        AS u(tenant_id, operation, key, fingerprint, status, body)
     ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("tenant_ids", type_=ARRAY(Uuid())),
    bindparam("operations", type_=ARRAY(Text())),
    bindparam("keys", type_=ARRAY(Text())),
    bindparam("fingerprints", type_=ARRAY(LargeBinary())),
    bindparam("statuses", type_=ARRAY(BigInteger())),
    bindparam("bodies", type_=ARRAY(LargeBinary())),
)


async def record(tx: AsyncSession, answers: Sequence[tuple[Attempt, Answer]], *, now: datetime) -> None:
    """Store what was answered, in key order. Raises Overtaken when another transaction was faster."""
    if not answers:
        return
    result = await tx.execute(
        _RECORD,
        {
            "tenant_ids": [attempt.tenant_id for attempt, _ in answers],
            "operations": [attempt.operation for attempt, _ in answers],
            "keys": [attempt.key for attempt, _ in answers],
            "fingerprints": [attempt.fingerprint for attempt, _ in answers],
            "statuses": [answer.status for _, answer in answers],
            "bodies": [answer.body for _, answer in answers],
            "created_at": now,
        },
    )
    if getattr(result, "rowcount", -1) != len(answers):
        raise Overtaken


async def once(
    db: Database,
    attempt: Attempt | None,
    status: int,
    now: datetime,
    work: Callable[[AsyncSession], Awaitable[BaseModel]],
) -> Answer:
    """Do `work` in one transaction and answer with its document; a repetition gets the stored answer instead.

    Raises Unprocessable for a key that was used for another question, Conflict while the first is still running.
    """
    for _ in range(2):
        try:
            async with db.transaction() as tx:
                stored = (await find(tx, [attempt])).get(attempt.identity) if attempt else None
                if stored is None:
                    document = await work(tx)
                    answer = Answer(status, document.model_dump_json(by_alias=True).encode())
                    if attempt:
                        await record(tx, [(attempt, answer)], now=now)
                    return answer
        except Overtaken:
            continue
        except BankError:
            # A twin that was faster may be the very reason why this one is refused (or nobody knows what became of it).
            if attempt and await _taken(db, attempt):
                continue
            raise
        if isinstance(stored, Unprocessable):
            raise stored
        return stored
    raise Conflict(STILL_RUNNING, retry_after=1)


async def shown_once(
    db: Database,
    attempt: Attempt | None,
    status: int,
    now: datetime,
    work: Callable[[AsyncSession], Awaitable[tuple[BaseModel, BaseModel]]],
) -> Answer:
    """Do `work` once, which gives its document twice: as it is kept, and with a secret, as it is shown now.

    A secret lies nowhere in the clear, so a repetition gets the same answer with null in its place. Raises what `once`
    raises.
    """
    shown: BaseModel | None = None

    async def kept(tx: AsyncSession) -> BaseModel:
        nonlocal shown
        document, shown = await work(tx)
        return document

    answer = await once(db, attempt, status, now, kept)
    if answer.replayed:
        return answer
    assert shown is not None  # noqa: S101 - the work was done
    return Answer(status, shown.model_dump_json(by_alias=True).encode())


async def _taken(db: Database, attempt: Attempt) -> bool:
    """Whether the key was recorded meanwhile: by a twin, or by a commit of unknown outcome."""
    async with db.transaction() as tx:
        return bool(await find(tx, [attempt]))
