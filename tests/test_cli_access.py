"""What the commands about access print of a token: whether it still opens anything, what, and within which bounds."""

from datetime import UTC, datetime, timedelta

import pytest

from lastro.auth.binding import Binding, Rights
from lastro.auth.models import ApiToken
from lastro.cli_access import told
from lastro.values.money import Money
from lastro.values.network import parse_network

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)
RIGHTS = Rights(
    frozenset({"BAAS_PIX_READ", "BAAS_PIX_SEND"}),
    Binding(networks=(parse_network("203.0.113.0/24"),), most_each=Money(50_000)),
)


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "status"),
    [
        (None, None, "good"),
        (LATER, None, "good"),
        (NOW, None, "expired"),
        (EARLIER, None, "expired"),
        (LATER, NOW, f"revoked {NOW}"),
        (EARLIER, EARLIER, f"revoked {EARLIER}"),
    ],
)
def test_a_token_is_told_as_it_stands_now(
    expires_at: datetime | None, revoked_at: datetime | None, status: str
) -> None:
    row = ApiToken(rights=RIGHTS, expires_at=expires_at, revoked_at=revoked_at)

    said = told(row, NOW, row.expires_at)

    assert said == f"{status}  BAAS_PIX_READ BAAS_PIX_SEND  networks 203.0.113.0/24  most each 500.00"
