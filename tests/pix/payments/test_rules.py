"""Every word that the database says of an order is an error that a client can be told."""

import re

from lastro.errors import BankError
from lastro.migrations import ROOT
from lastro.pix.payments.rules import REFUSALS

OUTCOMES = {"ACCEPTED", "COMMITTED", "REPLAYED", "KEY_REUSED"}


def test_each_refusal_of_the_function_has_its_sentence_and_no_sentence_is_left_over() -> None:
    source = (ROOT / "migrations" / "versions" / "0012_transfers_and_caps.py").read_text("utf-8")
    walk = source.partition("said := CASE")[2].partition("END LOOP;")[0]
    said = set(re.findall(r"(?:THEN|ELSE|said :=) '([A-Z_]+)'", walk))
    assert said - OUTCOMES == set(REFUSALS)
    assert said >= OUTCOMES


def test_a_refusal_says_in_both_languages_what_is_wrong() -> None:
    for refusal in REFUSALS.values():
        error = refusal()
        assert isinstance(error, BankError)
        assert error.text.pt
        assert error.text.en
