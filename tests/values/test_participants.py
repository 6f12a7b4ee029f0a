"""The participants of Pix are found by ISPB, and are called what people call them."""

import re

import pytest

from lastro.values import participants
from lastro.values.participants import Participant, participant


@pytest.mark.parametrize(
    ("ispb", "compe", "short_name"),
    [
        ("18236120", "260", "Nu Pagamentos"),
        ("00000000", "001", "Banco do Brasil"),
        ("00360305", "104", "Caixa"),
        ("60701190", "341", "Itaú Unibanco"),
        ("60746948", "237", "Bradesco"),
        ("54811417", "694", "Woovi"),
        ("00416968", "077", "Inter"),
    ],
)
def test_a_bank_is_known_by_its_ispb(ispb: str, compe: str, short_name: str) -> None:
    found = participant(ispb)
    assert found is not None
    assert (found.ispb, found.compe, found.short_name) == (ispb, compe, short_name)


def test_the_name_of_the_list_is_kept() -> None:
    assert participant("18236120") == Participant("18236120", "260", "NU PAGAMENTOS - IP", "Nu Pagamentos")


@pytest.mark.parametrize("ispb", ["", "00038166", "0", "260", "99999999", "18236120\n"])
def test_who_takes_no_part_is_not_found(ispb: str) -> None:
    assert participant(ispb) is None


def test_the_list_is_whole() -> None:
    everybody = participants._participants()
    assert len(everybody) == 280
    for ispb, one in everybody.items():
        assert ispb == one.ispb
        assert re.fullmatch(r"[0-9A-Z]{8}", ispb)
        assert one.compe is None or re.fullmatch(r"[0-9]{3}", one.compe)
        assert one.name == one.name.strip() != ""
        assert one.short_name == one.short_name.strip() != ""


def test_no_two_participants_share_a_name_or_a_code() -> None:
    everybody = participants._participants().values()
    assert len({one.short_name for one in everybody}) == len(everybody)
    codes = [one.compe for one in everybody if one.compe is not None]
    assert len(set(codes)) == len(codes)


def test_the_list_is_read_once() -> None:
    assert participants._participants() is participants._participants()
