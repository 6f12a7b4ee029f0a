"""A sentence for a client, in the two languages that Lastro speaks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in Portuguese (the default) and in English, with `{named}` places for facts."""

    pt: str
    en: str

    def fill(self, **facts: object) -> "Text":
        """The same sentence with its places filled."""
        return Text(self.pt.format(**facts), self.en.format(**facts))


class Invalid(ValueError):
    """A value that is not what it claims to be; says why in both languages, never repeats the value."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text
