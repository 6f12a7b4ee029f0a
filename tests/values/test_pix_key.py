"""A Pix key is read however people type it and kept in the one spelling that DICT knows."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.values.pix_key import KeyType, PixKey
from lastro.values.text import Invalid

CPF, CNPJ, EMAIL, PHONE, EVP = KeyType.CPF, KeyType.CNPJ, KeyType.EMAIL, KeyType.PHONE, KeyType.EVP

EMAIL_OF_77 = "a" * 65 + "@example.com"
EMAIL_OF_78 = "a" + EMAIL_OF_77


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (CPF, "123.456.789-09", "12345678909"),
        (CPF, " 12345678909 ", "12345678909"),
        (CNPJ, "12.345.678/0001-90", "12345678000190"),
        (CNPJ, "12.abc.345/01de-35", "12ABC34501DE35"),
        (EMAIL, "Fulano.De+Tal@Example.COM.BR", "fulano.de+tal@example.com.br"),
        (EMAIL, " a@b ", "a@b"),
        (EMAIL, "!#$'*+/=?^_`{|}~-@example.com", "!#$'*+/=?^_`{|}~-@example.com"),
        (EMAIL, EMAIL_OF_77, EMAIL_OF_77),
        (PHONE, "+55 11 91234-5678", "+5511912345678"),
        (PHONE, "+55 (11) 91234-5678", "+5511912345678"),
        (PHONE, "+5511912345678", "+5511912345678"),
        (PHONE, "+12", "+12"),
        (PHONE, "+123456789012345", "+123456789012345"),
        (EVP, "123e4567-e12b-12d1-a456-426655440000", "123e4567-e12b-12d1-a456-426655440000"),
        (EVP, "550E8400-E29B-41D4-A716-446655440100", "550e8400-e29b-41d4-a716-446655440100"),
        (EVP, "e8a78bf5-4f40-42bf-9076-2f6cfd939634", "e8a78bf5-4f40-42bf-9076-2f6cfd939634"),
        (EVP, "650bbde7-3708-4da9-8cc5-54121b47a223", "650bbde7-3708-4da9-8cc5-54121b47a223"),
    ],
)
def test_a_key_is_normalised_for_its_type(kind: KeyType, text: str, value: str) -> None:
    assert PixKey.parse(kind, text) == PixKey(kind, value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (CPF, "1234567890"),
        (CPF, "12345678000195"),
        (CPF, ""),
        (CNPJ, "12345678909"),
        (CNPJ, "12ABC34501DEAA"),
        (EMAIL, "fulano"),
        (EMAIL, "@example.com"),
        (EMAIL, "a@"),
        (EMAIL, "a@@b.com"),
        (EMAIL, "a b@example.com"),
        (EMAIL, "a%b@example.com"),
        (EMAIL, "a&b@example.com"),
        (EMAIL, "a@-example.com"),
        (EMAIL, "a@example-.com"),
        (EMAIL, "a@example..com"),
        (EMAIL, "a@" + "b" * 64 + ".com"),
        (EMAIL, "a@example.com\n"),
        (EMAIL, "a\x00@example.com"),
        (PHONE, "5511912345678"),
        (PHONE, "+0511912345678"),
        (PHONE, "++5511912345678"),
        (PHONE, "+1"),
        (PHONE, "+1234567890123456"),
        (PHONE, "+55.11.91234.5678"),
        (PHONE, "+55 11 91234-5678 x1"),
        (PHONE, "+5511912345678\n"),
        (PHONE, "+55\t11912345678"),
        (PHONE, "+5511912345678\x00"),
        (EVP, "a1b2c3d4-e5f6-7g8h-9i0j-k1l2m3n4o5p6"),
        (EVP, "not-a-uuid"),
        (EVP, "123e4567e12b12d1a456426655440000"),
        (EVP, "{123e4567-e12b-12d1-a456-426655440000}"),
        (EVP, "123e4567-e12b-12d1-a456-426655440000\n"),
    ],
)
def test_a_key_of_another_shape_is_refused(kind: KeyType, text: str) -> None:
    with pytest.raises(Invalid):
        PixKey.parse(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (CPF, "\uff112345678909"),
        (PHONE, "+55119\uff11\uff12345678"),
        (PHONE, "\u202e+5511912345678"),
        (PHONE, "\u00a0+5511912345678"),
        (EMAIL, "josé@example.com"),
        (EMAIL, "a@exa\u202emple.com"),
        (EMAIL, "a\u200b@example.com"),
        # lower() and upper() would turn these into k, s and S
        (EMAIL, "\u212a@example.com"),
        (CNPJ, "12\u017fBC34501DE35"),
    ],
)
def test_a_key_is_ascii(kind: KeyType, text: str) -> None:
    with pytest.raises(Invalid, match="characters it must not hold"):
        PixKey.parse(kind, text)


def test_a_key_has_at_most_77_characters() -> None:
    assert (len(EMAIL_OF_77), len(EMAIL_OF_78)) == (77, 78)
    with pytest.raises(Invalid, match="exceeds 77"):
        PixKey.parse(EMAIL, EMAIL_OF_78)
    with pytest.raises(Invalid, match="exceeds 77"):
        PixKey.of_unknown_kind(EMAIL_OF_78)
    with pytest.raises(Invalid, match="exceeds 77"):
        PixKey.parse(PHONE, "+55" + " " * 80 + "11912345678")


def test_the_refusal_does_not_repeat_the_key() -> None:
    with pytest.raises(Invalid) as refusal:
        PixKey.parse(EMAIL, "fulano at example")
    assert "fulano" not in refusal.value.text.pt + refusal.value.text.en


@pytest.mark.parametrize(
    ("kind", "value", "valid"),
    [
        (CPF, "12345678909", True),
        (CPF, "12345678901", False),
        (CPF, "11111111111", False),
        (CNPJ, "12ABC34501DE35", True),
        (CNPJ, "12345678000190", False),
        (EMAIL, "a@example.com", True),
        (PHONE, "+5511912345678", True),
        (EVP, "123e4567-e12b-12d1-a456-426655440000", True),
    ],
)
def test_only_documents_have_check_digits(kind: KeyType, value: str, valid: bool) -> None:
    assert PixKey.parse(kind, value).has_valid_check_digits is valid


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        (CPF, "12345678909", "***456789**"),
        (CNPJ, "12345678000190", "**345678******"),
        (EMAIL, "ab@cd.ef", "ab****ef"),
        (EMAIL, "a@b.com", "*******"),
        (EMAIL, "a@b", "***"),
        (PHONE, "+5511912345678", "+5**********78"),
        (EVP, "123e4567-e12b-12d1-a456-426655440000", "12" + "*" * 32 + "00"),
    ],
)
def test_a_log_sees_little_of_a_key(kind: KeyType, value: str, masked: str) -> None:
    assert PixKey.parse(kind, value).masked == masked


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("+5511999999999", PHONE),
        ("+551198765432", PHONE),
        ("financeiro@empresa-abc.com.br", EMAIL),
        ("+tag@example.com", EMAIL),
        ("123e4567-e12b-12d1-a456-426655440000", EVP),
        ("550E8400-E29B-41D4-A716-446655440100", EVP),
        ("52998224725", CPF),
        # looks like a mobile number, and is a CPF all the same: a phone has its plus
        ("51998259765", CPF),
        ("11111111111", CPF),
        ("11222333000181", CNPJ),
        ("12ABC34501DE35", CNPJ),
        ("12abc34501de35", CNPJ),
        # wrong check digits, as a sandbox has them: DICT says whether the key exists
        ("12345678000190", CNPJ),
        ("00000000000000", CNPJ),
    ],
)
def test_a_key_in_a_code_tells_its_type(text: str, kind: KeyType) -> None:
    assert PixKey.of_unknown_kind(text) == PixKey.parse(kind, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "fulano",
        "FULANO2020 BANRISUL.COM.BR",
        "1234567890",
        "5511999999999",
        "12ABC34501DEAA",
        "123.456.789-09",
        "12.345.678/0001-95",
        "+",
        "@",
        "123e4567-e12b-12d1-a456-42665544000",
        "5299822472\uff15",
        "52998224725\x00",
        "\u202e52998224725",
    ],
)
def test_a_key_of_no_type_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        PixKey.of_unknown_kind(text)


def test_it_prints_as_dict_knows_it() -> None:
    assert str(PixKey.parse(EMAIL, "A@Example.com")) == "a@example.com"


keys = st.one_of(
    st.tuples(st.just(CPF), st.from_regex(r"[0-9]{11}", fullmatch=True)),
    st.tuples(st.just(CNPJ), st.from_regex(r"[0-9A-Z]{12}[0-9]{2}", fullmatch=True)),
    st.tuples(st.just(PHONE), st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True)),
    st.tuples(st.just(EVP), st.uuids().map(str)),
    st.tuples(st.just(EMAIL), st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z]{1,20}\.com", fullmatch=True)),
)


@given(keys)
def test_a_normal_key_stays_as_it_is(key: tuple[KeyType, str]) -> None:
    kind, value = key
    parsed = PixKey.parse(kind, value)
    assert parsed.value == value
    assert PixKey.of_unknown_kind(value) == parsed


@given(keys)
def test_a_mask_shows_no_more_than_half_of_a_key(key: tuple[KeyType, str]) -> None:
    masked = PixKey.parse(*key).masked
    assert len(masked) == len(key[1])
    assert 2 * masked.count("*") >= len(masked) - 1  # of a CPF, six of eleven digits show


@given(st.sampled_from(KeyType), st.text(max_size=90))
def test_nothing_but_a_refusal_comes_of_garbage(kind: KeyType, text: str) -> None:
    try:
        key = PixKey.parse(kind, text)
    except Invalid:
        return
    assert key.value.isascii()
    assert PixKey.parse(kind, key.value) == key


@given(st.text(max_size=90))
def test_nothing_but_a_refusal_comes_of_garbage_in_a_code(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert PixKey.of_unknown_kind(text).value.isascii()
