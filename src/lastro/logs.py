"""JSON logs, one line an event, with the request's id and without anybody's documents, keys or secrets."""

import logging
import re
from collections.abc import MutableMapping
from typing import Any

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


def masked(text: str) -> str:
    """The text with whatever looks like a document, key or token covered."""
    return _PERSONAL.sub("***", text)


def _mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name not in {"timestamp", "level"}:
            event[name] = masked(value)
    return event


def configure(level: str = "info") -> None:
    """Log JSON lines to standard error; call once, at start-up."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=_standard_error()),
        cache_logger_on_first_use=False,
    )


def _standard_error() -> Any:
    import sys

    return sys.stderr


def logger(name: str) -> Any:
    """A structured logger: `logger("worker").warning("postponed", topic=…)`."""
    return structlog.get_logger(part=name)
