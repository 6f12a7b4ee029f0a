"""X2: the keys that we say are active are those that the network's directory holds for our accounts, both ways."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

ID = "X2"
STATEMENT = "At rest, our active keys are the directory's entries for our accounts."

_ROWS_AT_ONCE = 10_000

# Collation "C" sorts as Python compares, so that the two registers can be read side by side.
_OURS = text(
    """
    SELECT key.key_value COLLATE "C", key.key_type COLLATE "C", provider.ispb COLLATE "C",
           account.branch COLLATE "C", replace(account.account_number, '-', '') COLLATE "C",
           account.holder_document COLLATE "C"
      FROM pix_keys key JOIN accounts account ON account.id = key.account_id
      JOIN providers provider ON provider.id = key.provider_id
     WHERE key.stage = 'ACTIVE'
     ORDER BY 1, 2, 3, 4, 5, 6
    """
)
_THEIRS = text(
    """
    SELECT entry.key COLLATE "C", entry.key_type COLLATE "C", entry.ispb COLLATE "C",
           entry.branch COLLATE "C", entry.number COLLATE "C", entry.owner_tax_id COLLATE "C"
      FROM entry JOIN account ON account.ispb = entry.ispb AND account.branch = entry.branch
                             AND account.number = entry.number
     WHERE entry.removed_at IS NULL
     ORDER BY 1, 2, 3, 4, 5, 6
    """
)


class _Entry(NamedTuple):
    """A key and the account behind it."""

    key: str
    key_type: str
    ispb: str
    branch: str
    number: str
    document: str


async def differences(bank: AsyncConnection, network: AsyncConnection) -> AsyncIterator[str]:
    """Each entry that only one side has; both connections are in a snapshot."""
    here, there = _entries(bank, _OURS), _entries(network, _THEIRS)
    ours, theirs = await anext(here, None), await anext(there, None)
    while ours is not None or theirs is not None:
        if ours == theirs:
            ours, theirs = await anext(here, None), await anext(there, None)
        elif theirs is None or (ours is not None and ours < theirs):
            yield f"{_place(ours)}: only the bank says so"
            ours = await anext(here, None)
        else:
            yield f"{_place(theirs)}: only the directory says so"
            theirs = await anext(there, None)


async def _entries(connection: AsyncConnection, question: TextClause) -> AsyncIterator[_Entry]:
    rows = await connection.stream(question, execution_options={"yield_per": _ROWS_AT_ONCE})
    while chunk := await rows.fetchmany(_ROWS_AT_ONCE):
        for row in chunk:
            yield _Entry(*row)


def _place(entry: _Entry | None) -> str:
    """Which entry, without the key itself: a report may be shown to people who have no business with it."""
    assert entry is not None  # noqa: S101 - the merge has just looked
    return f"a {entry.key_type} key of account {entry.ispb} {entry.branch} {entry.number}"
