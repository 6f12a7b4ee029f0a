"""Judges a provider before it is written: by its adapter, by the list of participants, and by trying the key."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from lastro.errors import INVALID_DATA, BankError, Flaw, Unprocessable, Validation
from lastro.providers.directory import Access, Adapter
from lastro.tenants.providers.order import NewProvider, Terms
from lastro.values.participants import participant
from lastro.values.text import Invalid, Text

_NO_PARTICIPANT = Text("Este ISPB não participa do Pix.", "This ISPB takes no part in Pix.")
_NO_ADAPTER = Text("Adaptador desconhecido. Existem: {known}.", "Unknown adapter. There are: {known}.")
_UNUSED = Text("O adaptador não usa este campo.", "The adapter does not use this field.")
_NEEDED = Text("O adaptador precisa desta credencial.", "The adapter needs this credential.")
_NOT_OFFERED = Text("O adaptador não oferece isto.", "The adapter does not offer this.")
_AT = "/data/attributes"


def adapter_of(wanted: NewProvider, adapters: Mapping[str, Adapter]) -> Adapter:
    """The adapter that leads there. Raises Validation for one that nobody wired, or an ISPB outside of Pix."""
    flaws = []
    if participant(wanted.ispb) is None:
        flaws.append(Flaw(_NO_PARTICIPANT, pointer=f"{_AT}/ispb"))
    adapter = adapters.get(wanted.adapter)
    if adapter is None:
        text = _NO_ADAPTER.fill(known=", ".join(sorted(adapters)))
        flaws.append(Flaw(text, pointer=f"{_AT}/adapter"))
    if adapter is None or flaws:
        raise Validation(flaws[0].text, flaws=flaws)
    return adapter


def refusal_of(terms: Terms, adapter: Adapter) -> BankError | None:
    """What of these terms this adapter can not do: fields that it does not read, credentials that it lacks, more than
    it offers."""
    flaws = [
        *_unused("credentials", terms.credentials, adapter.takes),
        *_unused("settings", terms.settings, adapter.settings),
        *(
            Flaw(_NEEDED, pointer=f"{_AT}/credentials/{name}")
            for name in sorted(adapter.needs - terms.credentials.keys())
        ),
    ]
    if flaws:
        return Validation(INVALID_DATA, flaws=flaws)
    flaws = [
        *_beyond("supportedFeatures", terms.features or (), adapter.features),
        *_beyond("accountTypes", terms.account_types or (), adapter.account_types),
    ]
    return Unprocessable(_NOT_OFFERED, flaws=flaws) if flaws else None


def _unused(field: str, given: Collection[str], known: frozenset[str]) -> Iterator[Flaw]:
    return (Flaw(_UNUSED, pointer=f"{_AT}/{field}/{name}") for name in sorted(given) if name not in known)


def _beyond(field: str, wanted: Sequence[str], offered: Collection[str]) -> Iterator[Flaw]:
    return (
        Flaw(_NOT_OFFERED, pointer=f"{_AT}/{field}/{place}") for place, each in enumerate(wanted) if each not in offered
    )


def try_access(adapter: Adapter, access: Access) -> None:
    """Raise Validation when the adapter can make nothing of the credentials. Nobody is called."""
    try:
        adapter.connect(access)
    except Invalid as error:
        raise Validation(error.text, flaws=[Flaw(error.text, pointer=f"{_AT}/credentials")]) from error
