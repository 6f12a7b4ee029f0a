"""JSON logs, one line an event, with the request's id and without anybody's documents, keys or secrets."""

import json
import logging
import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

import structlog

# Digits and addresses that could be a CPF, a CNPJ, a phone or an e-mail key. Fields are chosen by hand at each call;
# this is the net under it, for exception texts and values that slipped through.
_PERSONAL = re.compile(
    r"\b[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}\b"  # CPF
    r"|\b[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9A-Z]{4}-?[0-9]{2}\b"  # CNPJ
    r"|\+[1-9][0-9]{7,14}\b"  # phone
    r"|[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,255}"  # e-mail
    r"|\blastro_(?:live|test)_[A-Za-z0-9_-]+"  # token
    r"|(?<=DETAIL:  ).*"  # where Postgres prints the row that it refused
)


# httpx writes the address of every request at INFO. There stand ids, keys, and secrets of tenants' endpoints; and
# whoever has that of a charge may read the charge.
logging.getLogger("httpx").setLevel(logging.WARNING)

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is being answered, fit to be read by anybody: every line says which."""

_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class _Lines:
    """Where the lines of requests go, if anywhere."""

    of_requests: TextIO | None = None


def masked(text: str) -> str:
    """The text with whatever looks like a document, key or token covered."""
    return _PERSONAL.sub("***", text)


def _mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name not in {"timestamp", "level"}:
            event[name] = masked(value)
    return event


def _add_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = REQUEST_ID.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def configure(level: str = "info") -> None:
    """Log JSON lines to standard error; call once, at start-up."""
    lowest, stream = logging.getLevelNamesMapping()[level.upper()], _standard_error()
    _Lines.of_requests = stream if lowest <= logging.INFO else None
    structlog.configure(
        processors=[
            _add_request_id,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,
            _mask,
            structlog.processors.JSONRenderer(lambda event, **_: _encode(event)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )


def _standard_error() -> Any:
    import sys

    return sys.stderr


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """The line of every request, at level info: written without the processors, whose way costs ten times as much.

    Its words are ours or the route's, and need no escaping.
    """
    if _Lines.of_requests is not None:
        _Lines.of_requests.write(
            f'{{"part":"http","method":"{method}","route":"{route}","status":{status},'
            f'"milliseconds":{seconds * 1000:.1f},"event":"answered","request_id":"{REQUEST_ID.get()}",'
            f'"level":"info","timestamp":"{_stamp(None, "", {})["timestamp"]}"}}\n'
        )


def logger(name: str) -> Any:
    """A structured logger: `logger("worker").warning("postponed", topic=…)`."""
    return structlog.get_logger(part=name)
