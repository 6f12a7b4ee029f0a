"""What providers refuse, in our words, whichever adapter heard it; and the codes of the directory (DICT) for keys."""

from collections.abc import Mapping

from lastro.errors import BankError, ProviderUnavailable
from lastro.values.text import Text

Words = Mapping[int, tuple[type[BankError], Text]]
"""By the status of an answer: what it means to who asked."""

NO_SUCH_KEY = Text("Chave Pix não encontrada.", "Pix key not found.")
NOT_TO_BE_ASKED = Text("O diretório não aceita consultar esta chave.", "The directory refuses to look this key up.")
TOO_OFTEN = Text(
    "Consultas demais ao diretório de chaves. Aguarde e tente de novo.",
    "Too many requests to the key directory. Wait, then try again.",
)
NO_NOTIFICATION = Text("A notificação não faz sentido.", "The notification makes no sense.")
_UNAVAILABLE = Text(
    "O provedor não respondeu. Não se sabe se a operação foi feita.",
    "The provider did not answer. Whether it was carried out is not known.",
)

_LONGEST_WAIT_SECONDS = 3600
_LONGEST_NUMBER = 12  # digits


def nothing_is_known() -> ProviderUnavailable:
    """No answer, or none that can be understood."""
    return ProviderUnavailable(_UNAVAILABLE, retry_after=2)


def seconds_in(retry_after: str, *, otherwise: int) -> int:
    """What a Retry-After asks for, an hour at most; `otherwise` where it says no number."""
    says_so = retry_after.isdecimal() and len(retry_after) <= _LONGEST_NUMBER
    return min(int(retry_after) if says_so else otherwise, _LONGEST_WAIT_SECONDS)


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
