"""Ids of lines lead to their movement, and nobody else's do."""

from uuid import UUID, uuid4

import pytest

from lastro.statements.lines import line_id, seq_of


@pytest.mark.parametrize("seq", [1, 2, 255, 10**6, 2**48 - 1])
def test_the_id_of_a_line_tells_its_number(seq: int) -> None:
    account_id = uuid4()
    made = line_id(account_id, seq)
    assert seq_of(account_id, made) == seq
    assert made == line_id(account_id, seq)
    assert (made.version, made.variant) == (8, "specified in RFC 4122")


def test_ids_sort_like_their_lines() -> None:
    account_id = uuid4()
    ids = [line_id(account_id, seq) for seq in range(1, 1_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_the_id_of_another_accounts_line_is_no_id() -> None:
    assert seq_of(uuid4(), line_id(uuid4(), 7)) is None


@pytest.mark.parametrize("other", [UUID(int=0), UUID(int=2**128 - 1), UUID("550e8400-e29b-41d4-a716-446655440100")])
def test_an_id_of_something_else_is_no_id(other: UUID) -> None:
    assert seq_of(uuid4(), other) is None


def test_no_bit_can_be_changed_unnoticed() -> None:
    account_id = uuid4()
    made = line_id(account_id, 42)
    assert not [bit for bit in range(128) if seq_of(account_id, UUID(int=made.int ^ 1 << bit)) is not None]
