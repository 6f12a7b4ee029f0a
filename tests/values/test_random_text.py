"""Texts that nobody can guess: letters and digits, as many as asked for, never the same twice."""

from collections import Counter

from lastro.values.random_text import letters_and_digits


def test_it_is_as_long_as_asked_and_holds_letters_and_digits_only() -> None:
    for count in (1, 25, 35):
        text = letters_and_digits(count)
        assert len(text) == count
        assert text.isascii()
        assert text.isalnum()


def test_no_two_are_the_same() -> None:
    assert len({letters_and_digits(25) for _ in range(1_000)}) == 1_000


def test_every_character_comes_up_about_as_often() -> None:
    times = Counter(letters_and_digits(62_000))
    assert len(times) == 62
    assert max(times.values()) < 2 * min(times.values())
