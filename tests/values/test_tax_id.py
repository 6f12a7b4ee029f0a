"""A CPF or CNPJ is read however people write it, and only its own check digits make it valid."""

import string

import pytest
import validate_docbr as checkers
from hypothesis import given
from hypothesis import strategies as st

from lastro.values.tax_id import DocumentType, TaxId
from lastro.values.text import Invalid

CPF = DocumentType.CPF
CNPJ = DocumentType.CNPJ

VALID = [
    # CNPJs of IN RFB 2.229/2024 and its FAQ, and others computed by its rule
    "12ABC34501DE35",
    "12ABC345000188",
    "Z46ABC88000164",
    "ABCDEFGH000195",
    "A1B2C3D4000193",
    "0ZZZZZZZ000107",
    "AA345678000A29",
    "12345678000A08",
    "12.aBc.345/01dE-35",
    "CJ.TLM.0JM/JPPZ-15",
    "CJ.TLM.0JM/1RD1-50",
    "CJ.TLM.0JM/0P56-99",
    "GG.CBW.BAD/0001-94",
    "GG.CBW.BAD/0K1T-41",
    # numeric CNPJs
    "11222333000181",
    "11222333000262",
    "33000167000101",
    "00000000000191",
    "00038166000105",
    "12345678000195",
    "54550752000155",
    "01838723000127",
    "60.391.947/0001-00",
    "08.807.432/0001-10",
    "11.017.153/0003-20",
    "14.847.283/0005-40",
    "18.090.575/0003-70",
    "00.777.723/0001-00",
    "42.755.665/6247-95",
    "85.333.762/1128-07",
    # CPFs
    "12345678909",
    "52998224725",
    "39053344705",
    "11144477735",
    "51998259765",
    "00000000191",
    "52513127765",
    "962.718.458-60",
    "111.444.777-35",
]

WELL_SHAPED_BUT_WRONG = [
    "12345678000190",
    "12.345.678/0001-90",
    "56989000019533",
    "11257245286531",
    "12345678901",
    "11122233300",
    "29537995592",
    "11257245286",
    "11111111215",
    "11144477732",
    "12ABC34501DE36",
    "12ABC34501DE45",
]

MISSHAPEN = [
    "",
    "1234567",
    "2953799559",
    "295379955930",
    "5455075200015",
    "1112223334445-",
    "390.533.447=0",
    "6ad0.t391.9asd47/0ad001-00",
    "AAAA0AAAAAAA2AAAAAA",
    "12ABC34501DEAA",
    "123.456.78901",
    "123456789-01",
    "12.345.678.0001-90",
    "12345678/0001-90",
    " 12345678909",
    "12345678909 ",
    "12345678909\n",
    "1234567890\x00",
    "12345678909\x00",
    "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10\uff19",
    "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660\u0669",
    "\u202e12345678909",
    "1234567890A",
    # upper() would turn these into S and I
    "12\u017fBC34501DE35",
    "12\u0131BC34501DE35",
]


@pytest.mark.parametrize("text", VALID)
def test_right_check_digits_are_recognised(text: str) -> None:
    assert TaxId.parse(text).has_valid_check_digits


@pytest.mark.parametrize("text", WELL_SHAPED_BUT_WRONG)
def test_wrong_check_digits_are_read_and_told(text: str) -> None:
    assert not TaxId.parse(text).has_valid_check_digits


@pytest.mark.parametrize("character", "0123456789")
def test_one_digit_repeated_is_never_valid(character: str) -> None:
    assert not TaxId.parse(character * 11).has_valid_check_digits
    assert not TaxId.parse(character * 14).has_valid_check_digits


@pytest.mark.parametrize("text", MISSHAPEN)
def test_any_other_shape_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="neither a CPF nor a CNPJ"):
        TaxId.parse(text)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("123.456.789-01", "12345678901", CPF),
        ("12345678901", "12345678901", CPF),
        ("12.345.678/0001-90", "12345678000190", CNPJ),
        ("12345678000190", "12345678000190", CNPJ),
        ("12.abc.345/01de-35", "12ABC34501DE35", CNPJ),
        ("00000000000191", "00000000000191", CNPJ),
    ],
)
def test_punctuation_goes_and_letters_grow(text: str, value: str, kind: DocumentType) -> None:
    assert TaxId.parse(text) == TaxId(value, kind)
    assert TaxId.parse(text, kind) == TaxId(value, kind)


def test_a_cpf_is_no_cnpj() -> None:
    with pytest.raises(Invalid, match="CNPJ must have"):
        TaxId.parse("12345678909", CNPJ)


def test_a_cnpj_is_no_cpf() -> None:
    with pytest.raises(Invalid, match="CPF must have"):
        TaxId.parse("12345678000195", CPF)


def test_the_refusal_does_not_repeat_the_document() -> None:
    with pytest.raises(Invalid) as refusal:
        TaxId.parse("1234567890X")
    assert "1234567890X" not in refusal.value.text.pt + refusal.value.text.en + str(refusal.value)


@pytest.mark.parametrize(
    ("value", "masked"),
    [("12345678909", "***456789**"), ("12345678000190", "**345678******"), ("12ABC34501DE35", "**ABC345******")],
)
def test_a_mask_hides_the_ends(value: str, masked: str) -> None:
    assert TaxId.parse(value).masked == masked


@pytest.mark.parametrize("text", ["123.456.789-01", "12.345.678/0001-90", "12.ABC.345/01DE-35"])
def test_it_is_punctuated_as_people_write_it(text: str) -> None:
    assert TaxId.parse(text).punctuated == text


def test_it_prints_bare() -> None:
    assert str(TaxId.parse("12.345.678/0001-95")) == "12345678000195"


@given(st.text(string.digits, min_size=11, max_size=11) | st.from_regex(r"[0-9A-Z]{12}[0-9]{2}", fullmatch=True))
def test_every_spelling_of_a_document_is_the_same_document(value: str) -> None:
    document = TaxId.parse(value)
    assert document.value == value
    assert TaxId.parse(document.punctuated) == document
    assert TaxId.parse(document.punctuated.lower(), document.kind) == document


@given(st.text(max_size=20))
def test_nothing_but_a_refusal_comes_of_garbage(text: str) -> None:
    try:
        document = TaxId.parse(text)
    except Invalid:
        return
    assert document.value.isascii()
    assert document.value.isalnum()


@given(st.text("0123456789", min_size=9, max_size=9))
def test_a_cpf_is_judged_as_a_library_judges_it(root: str) -> None:
    for candidate in (f"{root}{number:02}" for number in range(100)):
        assert TaxId(candidate, CPF).has_valid_check_digits == checkers.CPF().validate(candidate)


@given(st.text(string.digits + string.ascii_uppercase, min_size=12, max_size=12))
def test_a_cnpj_is_judged_as_a_library_judges_it(root: str) -> None:
    for candidate in (f"{root}{number:02}" for number in range(100)):
        assert TaxId(candidate, CNPJ).has_valid_check_digits == checkers.CNPJ().validate(candidate)
