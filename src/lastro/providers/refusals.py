"""Why the directory (DICT) refuses to register a key: its codes, in our words."""

from collections.abc import Mapping

from lastro.values.text import Text

TAKEN = Text("Não foi possível registrar a chave Pix.", "The Pix key can not be registered.")

ALREADY_HERE = "EntryAlreadyExists"

WHY_TAKEN: Mapping[str, Text] = {
    ALREADY_HERE: Text(
        "A chave Pix já está registrada nesta instituição.", "The Pix key is already registered at this institution."
    ),
    "EntryKeyInCustodyOfDifferentParticipant": Text(
        "A chave Pix está registrada em outra instituição: é preciso pedir a portabilidade.",
        "The Pix key is registered at another institution: it takes a portability claim.",
    ),
    "EntryKeyOwnedByDifferentPerson": Text(
        "A chave Pix pertence a outra pessoa.", "The Pix key belongs to another person."
    ),
    "EntryLimitExceeded": Text(
        "A conta já atingiu o limite de chaves Pix.", "The account already has as many Pix keys as it may."
    ),
}


def why_taken(code: str) -> Text:
    """What a code of the directory means to who wants to register a key."""
    return WHY_TAKEN.get(code, TAKEN)
