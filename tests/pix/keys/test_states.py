"""The life of a key, as the table says it."""

from lastro.pix.keys.states import EDGES, STATUS, KeyStage, KeyStatus

S = KeyStage


def test_every_stage_has_a_status_of_the_contract() -> None:
    assert set(STATUS) == set(KeyStage)
    assert set(STATUS.values()) == set(KeyStatus)


def test_a_key_that_is_over_stays_over() -> None:
    assert {start for start, _ in EDGES} == set(KeyStage) - {S.INACTIVE}


def test_every_stage_can_be_left_towards_the_end() -> None:
    ways = {start: {end for begin, end in EDGES if begin is start} for start in KeyStage}
    reached = {S.INACTIVE}
    for _ in KeyStage:
        reached |= {start for start, ends in ways.items() if ends & reached}
    assert reached == set(KeyStage)


def test_what_the_tenant_did_himself_before_the_key_lived_is_no_news() -> None:
    told = {edge: step.emits for edge, step in EDGES.items() if step.emits}
    assert told == {
        (S.REGISTERING, S.ACTIVE): "pix.key.registered",
        (S.REGISTERING, S.INACTIVE): "pix.key.refused",
        (S.ACTIVE, S.REMOVING): "pix.key.removed",
    }
