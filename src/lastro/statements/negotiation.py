"""Which format a client wants: `format` says it, or else the `Accept` header does."""

from collections.abc import Mapping
from typing import TypeVar

from lastro.errors import Flaw, Validation
from lastro.values.text import Text

Choice = TypeVar("Choice")

_NOT_OFFERED = Text(
    "Esta rota não responde assim. Formatos: {offered}.", "This route does not answer like that. Formats: {offered}."
)


def wanted(asked: Choice | None, accept: str, offered: Mapping[str, Choice]) -> Choice:
    """What was asked for outright, or the offer that `Accept` (RFC 9110, 12.5.1) likes best; of equals the first.

    Raises Validation when it likes none: who wants a file must not be given something else.
    """
    if asked is not None:
        return asked
    if not accept.strip():
        return next(iter(offered.values()))
    ranges = [_range(each) for each in accept.lower().split(",") if each.strip()]
    liking = {media_type: _liking(media_type, ranges) for media_type in offered}
    best = max(liking, key=lambda media_type: liking[media_type])
    if liking[best] <= 0:
        text = _NOT_OFFERED.fill(offered=", ".join(offered))
        raise Validation(text, flaws=[Flaw(text, header="Accept")])
    return offered[best]


def _range(text: str) -> tuple[str, float]:
    """A media range and its weight; a weight that is no number is the best."""
    name, *parameters = [part.strip() for part in text.split(";")]
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                break
    return name, 1.0


def _liking(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """The weight of the range that fits best: the type itself, its family, anything."""
    family = media_type.partition("/")[0] + "/*"
    for name in (media_type, family, "*/*"):
        weights = [weight for given, weight in ranges if given == name]
        if weights:
            return max(weights)
    return 0.0
