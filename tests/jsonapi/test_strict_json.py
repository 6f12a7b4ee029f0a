"""JSON is read exactly or not at all: no rounding, no second meaning, no surprise deeper inside."""

import json
import string
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.jsonapi.strict_json import DEEPEST, LONGEST_NUMBER, MOST_NODES, parse
from lastro.values.text import Invalid


def refused(body: bytes) -> str:
    """Why it is refused."""
    with pytest.raises(Invalid) as caught:
        parse(body)
    return caught.value.text.en


def nested(depth: int) -> bytes:
    """So many lists, one in the other."""
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b"true", True),
        (b" \t\r\n1 ", 1),
        (b'"a\\n\\"\\u00e7\xc3\xa7"', 'a\n"çç'),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a":[1,{"b":null}],"":0}', {"a": [1, {"b": None}], "": 0}),
        (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
    ],
)
def test_plain_json_is_what_it_says(body: bytes, value: Any) -> None:
    assert parse(body) == value


@pytest.mark.parametrize(
    "literal",
    [
        "1500.00",
        "0.1",
        "0.30000000000000004",
        "10.000000000000000001"[:LONGEST_NUMBER],
        "90071992547409.93",
        "9007199254740.993",
        "99999999999999999.99",
        "1500.005",
        "-0.01",
        "-0.0",
    ],
)
def test_a_number_with_a_fraction_keeps_every_digit(literal: str) -> None:
    value = parse(literal.encode())

    assert isinstance(value, Decimal)
    assert str(value) == literal


@pytest.mark.parametrize("literal", ["0", "-0", "1", "-5", "9007199254740993", "1" * LONGEST_NUMBER])
def test_a_whole_number_is_an_int_of_the_same_value(literal: str) -> None:
    value = parse(literal.encode())

    assert type(value) is int
    assert value == Decimal(literal)


@pytest.mark.parametrize(
    "literal",
    [
        "1e400",
        "-1e400",
        "1E+2",
        "1e2",
        "1.0e-1",
        "NaN",
        "Infinity",
        "-Infinity",
        "10.0000000000000000001",
        "1" * (LONGEST_NUMBER + 1),
        "-" + "1" * LONGEST_NUMBER,
        "9" * 5000,
        "0." + "1" * 5000,
    ],
)
@pytest.mark.parametrize("around", ["{}", '{{"amount":{}}}', "[1,[{}]]"])
def test_a_number_that_no_reader_agrees_on_is_refused(literal: str, around: str) -> None:
    assert "Unacceptable number" in refused(around.format(literal).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1,}',
        b"[1,]",
        b"{'a':1}",
        b"{a:1}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"1_500",
        b"--1",
        b"\xef\xbc\x91",  # a full-width 1
        b"\xd9\xa1",  # an Arabic 1
        b"True",
        b"nul",
        b"1 2",
        b'{"a":1}{"b":2}',
        b"// a comment\n1",
        b'"a\nb"',
        b'"a\x00b"',
        b'"\\x41"',
        b'"\\u12"',
        b"\x0c1",
        b"\xc2\xa01",  # a no-break space
        b"\xef\xbb\xbf{}",  # a byte order mark
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32-be"),
        b'"\xff"',
        b'"\xc3"',
        b'"\xc0\xaf"',  # overlong
        b'"\xed\xa0\x80"',  # a surrogate, spelled in bytes
        b'"\xf4\x90\x80\x80"',  # beyond Unicode
    ],
)
def test_what_is_no_json_in_utf_8_is_refused(body: bytes) -> None:
    assert "not valid JSON" in refused(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount":1,"amount":2}',
        b'{"amount":1,"amount":1}',
        b'{"amount":1,"\\u0061mount":2}',
        b'{"\\u00e7":1,"\xc3\xa7":2}',
        b'{"data":{"attributes":{"a":1,"b":2,"a":3}}}',
        b'[[{"a":{"":1,"":2}}]]',
    ],
)
def test_a_name_that_stands_twice_is_refused_however_it_is_spelled(body: bytes) -> None:
    assert "repeats a field" in refused(body)


@pytest.mark.parametrize("text", [r"\u0000", r"a\u0000b", r"\ud800", r"\udfff", r"\ude00\ud83d", r"\ud83d\ud83d\ude00"])
@pytest.mark.parametrize("around", ['"{}"', '{{"{}":1}}', '{{"a":["{}"]}}', '{{"a":{{"b{}":1}}}}'])
def test_a_nul_or_half_a_character_is_refused_in_values_and_in_names(text: str, around: str) -> None:
    assert "invalid characters" in refused(around.format(text).encode())


def test_the_deepest_body_is_read_and_one_level_more_is_refused() -> None:
    assert parse(nested(DEEPEST)) is not None
    assert "too deep" in refused(nested(DEEPEST + 1))
    assert "too deep" in refused(b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST)


def test_the_largest_body_is_read_and_one_node_more_is_refused() -> None:
    assert len(parse(json.dumps([0] * (MOST_NODES - 1)).encode())) == MOST_NODES - 1
    assert "too large" in refused(json.dumps([0] * MOST_NODES).encode())
    assert "too large" in refused(json.dumps({str(number): 0 for number in range(MOST_NODES)}).encode())


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("closed", [True, False])
def test_a_hundred_thousand_levels_break_nothing(opening: bytes, closed: bool) -> None:
    closing = b"".join({ord("["): b"]", ord("{"): b"}"}.get(byte, b"") for byte in reversed(opening))
    refused(opening * 100_000 + (b"1" + closing * 100_000 if closed else b""))


def test_hundreds_of_thousands_of_names_are_refused_in_a_moment() -> None:
    body = b"{" + b",".join(b'"%d":0' % number for number in range(300_000)) + b"}"
    started_at = time.process_time()

    assert "too large" in refused(body)
    assert time.process_time() - started_at < 5


def test_a_refusal_never_repeats_the_body() -> None:
    for body in (b'{"document":12345678901e5}', b'{"12345678901":1,"12345678901":2}', b'["12345678901'):
        with pytest.raises(Invalid) as caught:
            parse(body)
        assert "12345678901" not in f"{caught.value.text.pt}{caught.value.text.en}"


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**18), max_value=10**18)
    | st.decimals(min_value=-(10**9), max_value=10**9, places=3).map(lambda number: number + Decimal("0.0001"))
    | names
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4))


def written(value: Any) -> str:
    """Plain JSON; decimals in all their digits."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{written(child)}" for name, child in value.items()) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case Decimal():
            return f"{value:f}"
        case _:
            return json.dumps(value)


def deep(value: Any) -> int:
    """How many levels a value has."""
    if isinstance(value, dict | list):
        return 1 + max((deep(child) for child in (value.values() if isinstance(value, dict) else value)), default=0)
    return 1


@given(values.filter(lambda value: deep(value) <= DEEPEST))
def test_what_is_written_is_read_back_exactly(value: Any) -> None:
    assert parse(written(value).encode()) == value


@given(
    st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\ud8 \n\x00é', max_size=40)
    | st.text(alphabet=string.printable, max_size=40)
)
def test_what_is_accepted_means_what_the_standard_library_says(text: str) -> None:
    try:
        value = parse(text.encode())
    except Invalid:
        return
    assert value == json.loads(text, parse_float=Decimal)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_invalid(body: bytes) -> None:
    try:
        parse(body)
    except Invalid:
        return
    json.loads(body.decode())


@given(st.data())
def test_a_damaged_body_raises_nothing_but_invalid(data: st.DataObject) -> None:
    body = bytearray(
        b'{"data":{"type":"pix-payments","attributes":{"amount":1500.25,"description":"caf\\u00e9 \xc3\xa9"}}}'
    )
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse(bytes(body))
    except Invalid:
        return
