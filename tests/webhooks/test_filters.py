"""What a filter lets through, and what is no filter."""

import pytest

from lastro.values.text import Invalid
from lastro.webhooks.filters import matches, parse


@pytest.mark.parametrize(
    ("filters", "event_type", "yes"),
    [
        (["*"], "pix.payment.completed", True),
        (["pix.*"], "pix.payment.completed", True),
        (["pix.payment.*"], "pix.payment.completed", True),
        (["pix.payment.completed"], "pix.payment.completed", True),
        (["account.*", "pix.*"], "pix.payment.completed", True),
        (["account.kyc.*"], "account.kyc.requires_update", True),
        (["account.*"], "account.kyc.requires_update", True),
        ([], "pix.payment.completed", False),
        (["account.*"], "pix.payment.completed", False),
        (["pix.payment"], "pix.payment.completed", False),
        (["pix.pay.*"], "pix.payment.completed", False),
        (["pix.payment.completed.*"], "pix.payment.completed", False),
        (["pix"], "pix.payment.completed", False),
        (["payment.*"], "pix.payment.completed", False),
        (["pix.payment.failed"], "pix.payment.completed", False),
        (["*.completed"], "pix.payment.completed", False),
    ],
)
def test_a_family_is_whatever_begins_with_its_name(filters: list[str], event_type: str, *, yes: bool) -> None:
    assert matches(filters, event_type) is yes


@pytest.mark.parametrize(
    "text", ["*", "pix.*", "pix.payment.*", "pix.payment.completed", "account.kyc.requires_update"]
)
def test_a_filter_is_kept_as_it_is_written(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "**", "*.*", "pix*", "pix.**", "pix.*.completed", ".pix", "pix.", "Pix.*", "pix. *", "pix.*\n"),
        "a" * 65,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)
