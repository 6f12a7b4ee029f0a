"""How fast one client may make tokens: a bucket on its row, emptied by one statement, so that twins can not share."""

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Update, cast, func, literal, update

from lastro.auth.models import ApiClient

SIZE = 60_000
"""In thousandths of a token: sixty at once."""
A_SECOND = 500
"""Thousandths that flow back: thirty tokens a minute."""
RETRY_AFTER = 2
"""The seconds in which an empty bucket has a whole token again."""

_ONE = 1_000


def take_one(client: ApiClient, now: datetime) -> Update:
    """Take a token out of a living client's bucket; touches no row when there is none."""
    seconds = func.greatest(func.extract("epoch", literal(now) - ApiClient.refilled_at), 0)
    level: ColumnElement[int] = func.least(
        SIZE, ApiClient.millitokens + cast(func.floor(seconds * A_SECOND), BigInteger)
    )
    return (
        update(ApiClient)
        .where(ApiClient.id == client.id, ApiClient.revoked_at.is_(None), level >= _ONE)
        .values(millitokens=level - _ONE, refilled_at=func.greatest(ApiClient.refilled_at, now))
        .execution_options(synchronize_session=False)
    )
