"""What can go wrong, in the words of the contract. This file knows no HTTP: `jsonapi/errors.py` holds the statuses.

BankError
├── Validation            VALIDATION            the question makes no sense
├── InsufficientBalance   INSUFFICIENT_BALANCE  not enough money
├── Unauthorized          UNAUTHORIZED          who are you?
├── Forbidden             FORBIDDEN             you may not
├── NotFound              NOT_FOUND             absent, or another tenant's: the same answer
├── KeyNotFound           KEY_NOT_FOUND         the directory does not hold this key
├── MethodNotAllowed      METHOD_NOT_ALLOWED    this path knows other verbs
├── RequestTimeout        REQUEST_TIMEOUT       the request did not arrive in time
├── Conflict              CONFLICT              the state of things forbids it
├── RefundExceeded        REFUND_EXCEEDED       more than was received
├── PreconditionFailed    PRECONDITION_FAILED   somebody changed it since you read it
├── PayloadTooLarge       PAYLOAD_TOO_LARGE     more bytes than we read
├── UnsupportedMediaType  UNSUPPORTED_MEDIA_TYPE not JSON
├── Unprocessable         UNPROCESSABLE         well said, and impossible
├── InvalidQrCode         INVALID_QRCODE        not a Pix code, or expired
├── RateLimited           RATE_LIMITED          too often
├── ProviderUnavailable   PROVIDER_UNAVAILABLE  the provider did not answer: nothing is known
├── Unavailable           UNAVAILABLE           we can not take this now: nothing is known
└── Internal              INTERNAL              a bug
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from lastro.values.text import Text


class ErrorCode(StrEnum):
    """The `code` of every error body."""

    VALIDATION = "VALIDATION"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    KEY_NOT_FOUND = "KEY_NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    CONFLICT = "CONFLICT"
    REFUND_EXCEEDED = "REFUND_EXCEEDED"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    UNPROCESSABLE = "UNPROCESSABLE"
    INVALID_QRCODE = "INVALID_QRCODE"
    RATE_LIMITED = "RATE_LIMITED"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a request, and where: a JSON pointer, a query parameter or a header."""

    text: Text
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None


class BankError(Exception):
    """Anything that a client can be told. `reason` is a network's code; `retry_after` is in seconds."""

    code: ClassVar[ErrorCode]

    def __init__(
        self,
        text: Text,
        *,
        flaws: Sequence[Flaw] = (),
        reason: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(text.en)
        self.text = text
        self.flaws = tuple(flaws)
        self.reason = reason
        self.retry_after = retry_after


INVALID_DATA = Text("Dados inválidos.", "Invalid data.")
"""Of a Validation whose flaws say the rest."""

AT_ITS_LIMIT = Text(
    "O servidor está no limite. Repita a requisição em instantes.",
    "The server is at its limit. Repeat the request in a moment.",
)
"""Of an Unavailable, wherever the line is too long."""


class Validation(BankError):
    """The request is malformed; each flaw says where."""

    code = ErrorCode.VALIDATION


class InsufficientBalance(BankError):
    """The account does not hold this much."""

    code = ErrorCode.INSUFFICIENT_BALANCE


class Unauthorized(BankError):
    """No token, or one that is not (any longer) good."""

    code = ErrorCode.UNAUTHORIZED


class Forbidden(BankError):
    """The token lacks the permission."""

    code = ErrorCode.FORBIDDEN


class NotFound(BankError):
    """It does not exist, or belongs to another tenant; nobody can tell which."""

    code = ErrorCode.NOT_FOUND


class KeyNotFound(BankError):
    """The directory does not hold this key."""

    code = ErrorCode.KEY_NOT_FOUND


class MethodNotAllowed(BankError):
    """The path exists and knows other verbs."""

    code = ErrorCode.METHOD_NOT_ALLOWED


class RequestTimeout(BankError):
    """The body trickled in too slowly."""

    code = ErrorCode.REQUEST_TIMEOUT


class Conflict(BankError):
    """The present state forbids it: not active, money left, a duplicate."""

    code = ErrorCode.CONFLICT


class RefundExceeded(BankError):
    """The refunds together would exceed what was received."""

    code = ErrorCode.REFUND_EXCEEDED


class PreconditionFailed(BankError):
    """The `If-Match` of the request names an older version."""

    code = ErrorCode.PRECONDITION_FAILED


class PayloadTooLarge(BankError):
    """The body exceeds the cap of its route."""

    code = ErrorCode.PAYLOAD_TOO_LARGE


class UnsupportedMediaType(BankError):
    """The body is not declared as JSON."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class Unprocessable(BankError):
    """The request is well-formed and can not be carried out."""

    code = ErrorCode.UNPROCESSABLE


class InvalidQrCode(BankError):
    """The text is not a Pix code, or one that can not be paid (any longer): expired, paid, removed."""

    code = ErrorCode.INVALID_QRCODE


class RateLimited(BankError):
    """Too many requests; `retry_after` says when to come back."""

    code = ErrorCode.RATE_LIMITED


class ProviderUnavailable(BankError):
    """The provider did not answer; whatever was asked may or may not have happened."""

    code = ErrorCode.PROVIDER_UNAVAILABLE


class Unavailable(BankError):
    """We are full or the database is away; a request with an Idempotency-Key may be repeated safely."""

    code = ErrorCode.UNAVAILABLE


class Internal(BankError):
    """A bug. The client learns an id, the log learns the rest."""

    code = ErrorCode.INTERNAL


class SetupError(RuntimeError):
    """Something about this machine that its operator can mend; the message says how. No client ever sees it."""
