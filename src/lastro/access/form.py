"""What comes to /oauth: a form or JSON, and a client's id and secret in one of three places (RFC 6749 §2.3.1)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.datastructures import Headers

from lastro.access.grants import Credentials
from lastro.asking import REPEATED
from lastro.errors import Unauthorized, UnsupportedMediaType, Validation
from lastro.jsonapi import strict_json
from lastro.values.network import Address
from lastro.values.text import Invalid, Text

Asked = Mapping[str, str]
"""The parameters of a request, by name."""

_MOST_FIELDS = 20

_NO_FORM = Text(
    "Envie application/x-www-form-urlencoded ou application/json.",
    "Send application/x-www-form-urlencoded or application/json.",
)
_MALFORMED = Text("O corpo não é um formulário.", "The body is no form.")
_NO_OBJECT = Text("O corpo deve ser um objeto JSON de textos.", "The body must be a JSON object of strings.")
_QUERY = Text(
    "Envie os parâmetros no corpo, nunca na URL, que fica em registros.",
    "Send the parameters in the body, never in the URL, which logs keep.",
)
_MISSING = Text("Falta o parâmetro {name}.", "The parameter {name} is missing.")
_TWO_WAYS = Text(
    "Envie as credenciais de uma só forma: no corpo, ou em Authorization.",
    "Send the credentials in one way only: in the body, or in Authorization.",
)
_NO_CREDENTIALS = Text("Faltam client_id e client_secret.", "client_id and client_secret are missing.")
_NO_BASIC = Text("Authorization deve ser Basic.", "Authorization must be Basic.")


def read(headers: Headers, query: bytes, body: bytes) -> Asked:
    """The parameters; an empty one is an absent one, and one that nobody knows is left alone, as the RFC wants both.

    Raises Validation, UnsupportedMediaType.
    """
    if query:
        raise Validation(_QUERY)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        pairs = _form(body)
    elif media_type == "application/json":
        pairs = _json(body)
    else:
        raise UnsupportedMediaType(_NO_FORM)
    return {name: value for name, value in pairs.items() if value != ""}


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=body != b"",
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise Validation(_MALFORMED) from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise Validation(REPEATED)
    return dict(pairs)


def _json(body: bytes) -> dict[str, str]:
    try:
        parsed: Any = strict_json.parse(body)
    except Invalid as error:
        raise Validation(error.text) from error
    if not isinstance(parsed, dict):
        raise Validation(_NO_OBJECT)
    given = {name: value for name, value in parsed.items() if value is not None}
    if not all(isinstance(value, str) for value in given.values()):
        raise Validation(_NO_OBJECT)
    return given


def needed(form: Asked, name: str) -> str:
    """A parameter that must be there. Raises Validation."""
    if name not in form:
        raise Validation(_MISSING.fill(name=name))
    return form[name]


def credentials(headers: Headers, form: Asked, address: Address | None) -> Credentials:
    """Who claims to ask. Raises Validation for two ways at once, Unauthorized for none, or one that can not be read."""
    authorization = headers.getlist("authorization")
    if not authorization:
        if "client_id" not in form or "client_secret" not in form:
            raise Unauthorized(_NO_CREDENTIALS)
        return Credentials(form["client_id"], form["client_secret"], address)
    if len(authorization) > 1 or "client_secret" in form:
        raise Validation(_TWO_WAYS)
    client_id, secret = _basic(authorization[0])
    if form.get("client_id", client_id) != client_id:
        raise Validation(_TWO_WAYS)
    return Credentials(client_id, secret, address)


def _basic(authorization: str) -> tuple[str, str]:
    """Both halves are percent-encoded before they are joined, so a colon in one of them does no harm."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized(_NO_BASIC)
    try:
        joined = base64.b64decode(coded.strip(), validate=True).decode("ascii")
        client_id, colon, secret = joined.partition(":")
        halves = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError) as error:
        raise Unauthorized(_NO_BASIC) from error
    if not colon:
        raise Unauthorized(_NO_BASIC)
    return halves
