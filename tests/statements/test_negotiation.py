"""Accept: the best liked of what there is, and an error rather than something else."""

import pytest

from lastro.errors import Validation
from lastro.statements.negotiation import wanted
from lastro.statements.router import OFFERED


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/vnd.api+json", "json"),
        ("application/*", "json"),
        ("text/*", "csv"),
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/csv;q=0.5, application/pdf", "pdf"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "json"),
        ("application/json;q=0.1, application/x-ofx;q=0.9, */*;q=0.05", "ofx"),
        ("application/vnd.febraban.cnab240", "cnab240"),
        ("application/json;q=0, */*", "json"),  # the other JSON
        ("text/csv;q=nonsense", "csv"),
        (", ,text/csv,", "csv"),
    ],
)
def test_the_best_liked_is_chosen(accept: str, format: str) -> None:  # noqa: A002
    assert wanted(None, accept, OFFERED) == format


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "text/csv;q=0", "nonsense", "*/*;q=0"])
def test_what_is_not_offered_is_refused(accept: str) -> None:
    with pytest.raises(Validation) as refused:
        wanted(None, accept, OFFERED)
    assert [flaw.header for flaw in refused.value.flaws] == ["Accept"]
    assert "text/csv" in refused.value.text.pt


def test_the_parameter_is_stronger() -> None:
    assert wanted(OFFERED["text/csv"], "text/html", OFFERED) == "csv"
