"""Reads JSON as a bank must: exact numbers, no duplicate keys, no surprises in strings, bounded in every direction."""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from lastro.values.text import Invalid, Text

DEEPEST = 16
MOST_NODES = 2_000
LONGEST_NUMBER = 20

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")

_MALFORMED = Text("O corpo não é um JSON válido em UTF-8.", "The body is not valid JSON in UTF-8.")
_NUMBER = Text(
    "Número inaceitável: sem expoente, NaN ou infinito, com até 20 caracteres.",
    "Unacceptable number: no exponent, NaN or infinity, at most 20 characters.",
)
_DUPLICATE = Text("O corpo repete um campo.", "The body repeats a field.")
_TOO_DEEP = Text("O corpo é profundo ou grande demais.", "The body is too deep or too large.")
_CHARACTERS = Text(
    "O corpo contém caracteres inválidos (NUL ou surrogates).",
    "The body contains invalid characters (NUL or surrogates).",
)


def parse(body: bytes) -> Any:
    """Bytes → dicts, lists, str, int, Decimal, bool, None. Raises Invalid.

    Numbers with a fraction are `Decimal`, exactly as written; the standard library would round 90071992547409.93.
    """
    try:
        text = body.decode("utf-8", errors="strict")
        value = _DECODER.decode(text)
    except Invalid:
        raise
    except (ValueError, RecursionError) as error:
        raise Invalid(_MALFORMED) from error
    if not _plainly_small(text):
        _inspect(value)
    return value


def _plainly_small(text: str) -> bool:
    """Whether the text alone says that nothing is too deep, too many, or hidden behind an escape; most say so."""
    brackets = text.count("{") + text.count("[")
    return brackets < DEEPEST and brackets + text.count(",") + text.count(":") < MOST_NODES and "\\u" not in text


def _decimal(literal: str) -> Decimal:
    if len(literal) > LONGEST_NUMBER or not _PLAIN_NUMBER.fullmatch(literal):
        raise Invalid(_NUMBER)
    return Decimal(literal)


def _integer(literal: str) -> int:
    if len(literal) > LONGEST_NUMBER:
        raise Invalid(_NUMBER)
    return int(literal)


def _refuse_constant(_literal: str) -> NoReturn:
    raise Invalid(_NUMBER)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Invalid(_DUPLICATE)
    return result


_DECODER = json.JSONDecoder(
    parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant, object_pairs_hook=_object
)


def _inspect(value: Any) -> None:
    """Walk what was parsed, without recursion: count, measure the depth, look into the strings."""
    nodes = 0
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if nodes > MOST_NODES or depth > DEEPEST:
            raise Invalid(_TOO_DEEP)
        if isinstance(node, str):
            # Most are plain ASCII, which says so at once, however long it is.
            if "\x00" in node or (not node.isascii() and _SURROGATE.search(node)):
                raise Invalid(_CHARACTERS)
        elif isinstance(node, dict):
            for name, child in node.items():
                if "\x00" in name or (not name.isascii() and _SURROGATE.search(name)):
                    raise Invalid(_CHARACTERS)
                stack.append((child, depth + 1))
        elif isinstance(node, list):
            stack.extend((child, depth + 1) for child in node)
