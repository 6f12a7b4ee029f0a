"""What the bank must reach, as ratios within one run, and whether it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import median
from bench.rows import Row

Rows = Mapping[str, Row]

_PYTHON = "two thirds of a payment's processor time is Python: 700 calls from the first byte to the last"
CAUSES: Mapping[str, str] = {
    "POST payment ÷ pgbench, 64 connections, spread": f"{_PYTHON}; at 256 connections, in larger batches, it is higher",
    "POST payment ÷ pgbench, 64 connections, one account": (
        f"{_PYTHON}, whatever the account: one account costs no more than ten thousand, and no less"
    ),
    "POST payment ÷ pgledger-style transfer in SQL": (
        "a transfer there is four rows and no HTTP; a payment here is seven, with an answer, a promise and a tally"
    ),
    "(Python + Postgres) CPU of a payment ÷ Postgres CPU of pgbench's": _PYTHON,
    "Pix received ÷ pgbench credit, one account": (
        "each notification is a signed request of its own; a message of many (`payments.received`) costs a third"
    ),
    "POST payment, 64 connections: time at 10,000,000 payments ÷ at 10,000": (
        "measured seconds after a checkpoint: ten thousand accounts lie on as many pages of each of five indexes;"
        " their first touch writes whole pages (full_page_writes), and they are more than 256 MB of shared_buffers"
    ),
    "goodput at 5 times the most ÷ the most": "each request over the limit is read before it waits or is sent away",
}
"""Why a bar is missed, by its name: a sentence for the table. Only those of missed bars are shown."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of a round and its bound: `least` for what must be high, `most` for what must be low."""

    name: str
    of: Callable[[Rows], float | None]
    least: float | None = None
    most: float | None = None
    aim: float | None = None

    @property
    def wanted(self) -> str:
        """As the table writes it."""
        bound = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        return bound if self.aim is None else f"{bound}, aim {self.aim:g}"

    def met(self, value: float) -> bool:
        """Whether a value passes."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A bar, the median over rounds, how far the rounds lie apart, and the verdict; None: not measured."""

    name: str
    wanted: str
    measured: float | None
    lowest: float | None
    highest: float | None
    met: bool | None
    cause: str | None


def judge(bar: Bar, values: Sequence[float]) -> Judgement:
    """The bar over the rounds."""
    middle = median(values)
    if middle is None:
        return Judgement(bar.name, bar.wanted, None, None, None, None, None)
    met = bar.met(middle)
    return Judgement(bar.name, bar.wanted, middle, min(values), max(values), met, None if met else CAUSES.get(bar.name))


def judged(bars: Sequence[Bar], rounds: Sequence[Sequence[Row]]) -> list[Judgement]:
    """All bars. A round whose rows are not there, or whose books did not balance, has no say."""
    found = []
    for bar in bars:
        sound = [{row.name: row for row in rows if not row.flaws} for rows in rounds]
        found.append(judge(bar, [value for rows in sound if (value := bar.of(rows)) is not None]))
    return found


def ratio(one: float | None, other: float | None) -> float | None:
    """None where either was not measured, or the other is nothing."""
    return None if one is None or not other else one / other


def rate(name: str) -> Callable[[Rows], float | None]:
    """Operations a second of a row."""
    return lambda rows: rows[name].per_second if name in rows else None


def rates(one: str, other: str) -> Callable[[Rows], float | None]:
    """A row's rate over another's."""
    return lambda rows: ratio(rate(one)(rows), rate(other)(rows))


def _tail(rows: Rows) -> float | None:
    row = rows.get("post_2p_64")
    return ratio(row.p99_milliseconds, row.p50_milliseconds) if row else None


def _processor_time(rows: Rows) -> float | None:
    post, limit = rows.get("post_2p_64"), rows.get("pgbench_spread")
    if post is None or limit is None or "postgres" not in post.cpu_milliseconds:
        return None
    used = post.cpu_milliseconds["python"] + post.cpu_milliseconds["postgres"]
    return ratio(used, limit.cpu_milliseconds.get("postgres"))


def peak(rows: Rows) -> float | None:
    """The most payments a second that two processes accepted in a closed loop."""
    found = [rows[f"post_2p_{number}"].per_second for number in (1, 16, 64, 256) if f"post_2p_{number}" in rows]
    return max(found, default=None)


def _goodput(rows: Rows) -> float | None:
    return ratio(rate("overload")(rows), peak(rows))


BARS = (
    Bar("POST payment ÷ pgbench, 64 connections, spread", rates("post_2p_64", "pgbench_spread"), least=0.8, aim=1.2),
    Bar("POST payment ÷ pgbench, 64 connections, one account", rates("post_2p_hot_64", "pgbench_hot"), least=3),
    Bar("POST payment ÷ ORM peer, 64 connections", rates("post_2p_64", "peer_2p_64"), least=10),
    Bar("POST payment ÷ pgledger-style transfer in SQL", rates("post_2p_64", "pgledger"), least=1.5),
    Bar("(Python + Postgres) CPU of a payment ÷ Postgres CPU of pgbench's", _processor_time, most=1.2),
    Bar("p99 ÷ p50 at 64 connections", _tail, most=2.5),
    Bar("payments/s at 256 ÷ at 16 connections", rates("post_2p_256", "post_2p_16"), least=1.3),
    Bar("Pix received ÷ pgbench credit, one account", rates("receive_hot_64", "pgbench_credit_hot"), least=3),
    Bar("settlement without the simulator ÷ acceptance", rates("settle_alone", "post_2p_64"), least=1),
    Bar("settlement with events on ÷ off", rates("settle_events_on", "settle_events_off"), least=0.8),
    Bar(
        "settlement with a webhook for each payment ÷ without",
        rates("settle_with_webhooks", "settle_events_on"),
        least=0.6,
    ),
    Bar("goodput at 5 times the most ÷ the most", _goodput, least=0.8),
)


def shown(judgements: Sequence[Judgement]) -> list[dict[str, Any]]:
    """For results.json."""
    return [asdict(judgement) for judgement in judgements]
