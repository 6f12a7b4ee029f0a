"""A Pix network reached over HTTP, as docs/network.md describes it. Translates; decides nothing."""

import asyncio
import hmac
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from lastro import logs
from lastro.errors import (
    Conflict,
    KeyNotFound,
    NotFound,
    RateLimited,
    Unauthorized,
    Unprocessable,
    Validation,
)
from lastro.providers import network_wire as wire
from lastro.providers.directory import Adapter
from lastro.providers.features import Feature
from lastro.providers.protocol import (
    Holder,
    Instruction,
    KeyOwner,
    KycPaper,
    MadeCode,
    Notification,
    Opened,
    Outcome,
    Probe,
    ReturnInstruction,
    WantedCode,
)
from lastro.providers.refusals import (
    NO_NOTIFICATION,
    NO_SUCH_KEY,
    NOT_TO_BE_ASKED,
    TAKEN,
    TOO_OFTEN,
    WHY_TAKEN,
    Words,
    nothing_is_known,
    seconds_in,
)
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Text

_CONNECT_SECONDS = 2.0
_SETTLE_SECONDS = 6.0  # with the connect, less than the lease of a promise: nobody else claims it meanwhile
_PROBE_SECONDS = 2.0
_SIGNATURE_WINDOW_SECONDS = 300
_MOST_MESSAGES = 100
_LONGEST_NUMBER = 12  # digits of a time

_log = logs.logger("network")

_BAD_SIGNATURE = Text("Assinatura inválida ou fora do prazo.", "The signature is invalid or too old.")
_NO_SUCH_ENTRY = Text("O diretório não aceita registrar esta chave.", "The directory refuses to register this key.")
_NOT_OPENED = Text("O provedor recusou a abertura da conta.", "The provider refused to open the account.")
_TOO_MANY_MESSAGES = Text("Mensagens demais. Aguarde e tente de novo.", "Too many messages. Wait, then try again.")
_NO_CODES = Text("O provedor não gera QR Codes.", "The provider makes no QR codes.")
_NOT_REVIEWED = Text("O provedor recusou os documentos.", "The provider refused the documents.")
_UNKNOWN = Text("O provedor não conhece este item.", "The provider does not know this item.")


FEATURES = frozenset(Feature) - {Feature.PIX_QRCODE}
"""The network makes no codes: Lastro makes them, signs them and shows the charges."""


def adapter(client: httpx.AsyncClient, *, base_url: str, secret: str) -> Adapter:
    """The network of the operator's settings: whatever the provider, one address and one secret."""
    network = NetworkHttp(client, base_url=base_url, secret=secret)
    return Adapter(FEATURES, frozenset(AccountType), lambda _access: network, takes=frozenset(), one_book=True)


class NetworkHttp:
    """One network, under one address and one secret. Implements `lastro.providers.protocol.Provider`."""

    def __init__(self, client: httpx.AsyncClient, *, base_url: str, secret: str) -> None:
        """`client` is the caller's to close; `base_url` is that of the network, without a slash at its end."""
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._secret = secret

    async def find_key(self, key: PixKey, *, ispb: str, payer_tax_id: TaxId, end_to_end_id: EndToEndId) -> KeyOwner:
        """Ask DICT. Raises KeyNotFound, RateLimited, Unprocessable (a key of the bank itself), ProviderUnavailable."""
        headers = {
            "PI-RequestingParticipant": ispb,
            "PI-PayerId": payer_tax_id.value,
            "PI-EndToEndId": end_to_end_id,
        }
        words: Words = {
            400: (Unprocessable, NOT_TO_BE_ASKED),
            404: (KeyNotFound, NO_SUCH_KEY),
            429: (RateLimited, TOO_OFTEN),
        }
        with _in_our_words(words):
            path = f"/dict/entries/{quote(key.value, safe='')}"
            owner = wire.key_owner_in(await self._call("GET", path, headers=headers, seconds=8.0))
            if owner.key != key:
                raise ValueError("the directory answered another key")
            return owner

    async def register_key(
        self, key: PixKey | None, *, kind: KeyType, owner: Holder, account: BankAccount, request_id: UUID
    ) -> PixKey:
        """Register a key of ours. Raises Conflict, RateLimited, Unprocessable, ProviderUnavailable."""
        body = {
            "requestId": str(request_id),
            "keyType": kind.value,
            "account": wire.account_out(account),
            "owner": wire.owner_out(owner),
        }
        if key is not None:
            body["key"] = key.value
        words: Words = {
            400: (Unprocessable, _NO_SUCH_ENTRY),
            409: (Conflict, TAKEN),
            429: (RateLimited, TOO_OFTEN),
        }
        with _in_our_words(words):
            registered = wire.key_owner_in(await self._call("POST", "/dict/entries", body=body, seconds=8.0)).key
            if registered.kind is not kind or key not in (None, registered):
                raise ValueError("the directory registered another key")
            return registered

    async def remove_key(self, key: PixKey, *, ispb: str, request_id: UUID) -> None:
        """Remove a key of ours; one that is already gone is removed. Raises ProviderUnavailable."""
        body = {"requestId": str(request_id), "ispb": ispb, "reason": "USER_REQUESTED"}
        try:
            with _in_our_words({404: (NotFound, _UNKNOWN)}):
                path = f"/dict/entries/{quote(key.value, safe='')}/delete"
                await self._call("POST", path, body=body, seconds=8.0)
        except NotFound:
            return

    async def settle(self, instructions: Sequence[Instruction]) -> Sequence[Outcome]:
        """Settle up to 100 payments at once, one outcome each, in order. Raises ProviderUnavailable."""
        if not instructions:
            return []
        if len(instructions) > _MOST_MESSAGES:
            raise AssertionError("a batch holds at most a hundred instructions")
        body = {"messages": [wire.message_out(instruction) for instruction in instructions]}
        with _in_our_words({}):
            statuses = wire.statuses_in(await self._call("PUT", "/spi/payments", body=body, seconds=_SETTLE_SECONDS))
            if [each for each, _ in statuses] != [instruction.end_to_end_id for instruction in instructions]:
                raise ValueError("the network answered other payments")
            return [outcome for _, outcome in statuses]

    async def give_back(self, instruction: ReturnInstruction) -> Outcome:
        """Return a received Pix, or part of it. Raises ProviderUnavailable."""
        with _in_our_words({}):
            answer = await self._call(
                "POST", "/spi/returns", body=wire.return_out(instruction), seconds=_SETTLE_SECONDS
            )
            return _outcome_for(instruction.return_id, answer)

    async def outcome_of(self, end_to_end_id: EndToEndId, *, account: BankAccount) -> Outcome | None:  # noqa: ARG002
        """What the rail knows of a payment or a return; None: it never saw it. Raises ProviderUnavailable."""
        try:
            with _in_our_words({404: (NotFound, _UNKNOWN)}):
                path = f"/spi/payments/{quote(end_to_end_id, safe='')}"
                answer = await self._call("GET", path, seconds=_SETTLE_SECONDS)
                return _outcome_for(end_to_end_id, answer)
        except NotFound:
            return None

    async def open_account(
        self, holder: Holder, kind: AccountType, *, ispb: str, provider_id: UUID, request_id: UUID
    ) -> Opened:
        """Open an account; its number is as people write it, "12345-6". Raises ProviderUnavailable, Unprocessable."""
        body = {
            "requestId": str(request_id),
            "providerId": str(provider_id),
            "ispb": ispb,
            "holder": {"name": holder.name, "taxId": holder.tax_id.value},
            "type": wire.ACCOUNT_TYPES[kind],
        }
        refused = (Unprocessable, _NOT_OPENED)
        with _in_our_words({400: refused, 409: refused, 422: refused}):
            answer = await self._call("POST", "/office/accounts", body=body, seconds=8.0)
            account = wire.opened_in(answer, ispb, kind)
            return Opened(account.branch, account.number)

    async def make_code(self, wanted: WantedCode) -> MadeCode:  # noqa: ARG002 - as the Protocol has it
        """Not offered: the network makes no codes. Raises Unprocessable."""
        raise Unprocessable(_NO_CODES)

    async def send_code(self, kind: KeyType, address: str, *, code: str, key_id: UUID, expires_at: datetime) -> None:
        """Have a code sent to a customer. Raises RateLimited, ProviderUnavailable."""
        body = wire.code_out(kind, address, code=code, request_id=key_id, expires_at=expires_at)
        with _in_our_words({429: (RateLimited, _TOO_MANY_MESSAGES)}):
            await self._call("POST", "/office/messages", body=body, seconds=8.0)

    async def submit_kyc(
        self,
        account_id: UUID,
        holder: Holder,
        papers: Sequence[KycPaper],
        *,
        ispb: str,
        provider_id: UUID,
        request_id: UUID,
    ) -> None:
        """Bring documents to the KYC desk. Raises ProviderUnavailable, Unprocessable."""
        content = await asyncio.to_thread(  # megabytes of base64
            wire.kyc_out, account_id, holder, papers, ispb=ispb, provider_id=provider_id, request_id=request_id
        )
        refused = (Unprocessable, _NOT_REVIEWED)
        with _in_our_words({400: refused, 409: refused, 413: refused, 422: refused}):
            await self._call("POST", "/office/kyc", content=content, seconds=8.0)

    async def examine(self, *, ispb: str) -> Sequence[Probe]:
        """Whether the secret is good, and whether DICT and SPI answer for this participant. Changes nothing."""
        parts = {"AUTH": "/ping", "DICT": "/dict/ping", "SPI": "/spi/ping"}
        return await asyncio.gather(*(self._probe(name, path, ispb) for name, path in parts.items()))

    async def _probe(self, name: str, path: str, ispb: str) -> Probe:
        began, problem = time.monotonic(), None
        try:
            headers = {"PI-RequestingParticipant": ispb}
            if await self._call("GET", path, headers=headers, seconds=_PROBE_SECONDS) != {"status": "UP"}:
                problem = "an answer that makes no sense"
        except _Refused as refused:
            problem = f"{refused.status} {refused.kind or ''}".strip()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            problem = type(error).__name__  # its text may hold the address
        return Probe(name, round((time.monotonic() - began) * 1000), problem)

    def read(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """What the network tells us, unasked. Raises Unauthorized, Validation."""
        shown = {name.lower(): value for name, value in headers.items()}
        timestamp = shown.get("network-timestamp", "")
        signed = timestamp.encode() + b"." + body
        expected = hmac.digest(self._secret.encode(), signed, "sha256").hex()
        # First the signature, then the time: who does not know the secret learns nothing about our clock.
        if not hmac.compare_digest(shown.get("network-signature", "").encode(), expected.encode()):
            raise Unauthorized(_BAD_SIGNATURE)
        if (
            not timestamp.isdecimal()
            or len(timestamp) > _LONGEST_NUMBER
            or abs(time.time() - int(timestamp)) > _SIGNATURE_WINDOW_SECONDS
        ):
            raise Unauthorized(_BAD_SIGNATURE)
        try:
            return wire.notification_in(body)
        except ValueError:
            raise Validation(NO_NOTIFICATION) from None

    async def _call(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> Any:
        """One call; `seconds` is for the answer, all of it. Raises _Refused, httpx.HTTPError, OSError, ValueError."""
        sent = {"Authorization": f"Bearer {self._secret}", **(headers or {})}
        if body is not None:
            content = wire.canonical(body)
        if content is not None:
            sent["Content-Type"] = "application/json"
        timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
        async with asyncio.timeout(_CONNECT_SECONDS + seconds):
            response = await self._client.request(
                method, self._base_url + path, headers=sent, content=content, timeout=timeout, follow_redirects=False
            )
        if not response.is_success:
            raise _Refused(response)
        return wire.strict_json(response.content)


class _Refused(Exception):
    """An answer other than 2xx, with the `type` that the network gave it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.status = response.status_code
        self.retry_after = seconds_in(response.headers.get("retry-after", ""), otherwise=1)
        try:
            kind = wire.strict_json(response.content).get("type")
        except (ValueError, AttributeError):
            kind = None
        self.kind = kind if isinstance(kind, str) else None


@contextmanager
def _in_our_words(words: Words) -> Iterator[None]:
    """A refusal that we have a word for is raised as that word; all else means that nothing is known.

    Only what the network itself says counts as a refusal: a 404 of any other `type` is some proxy's or a wrong
    address, and says nothing about a payment. Nothing of httpx leaves here: its errors hold addresses, and those
    hold keys.
    """
    try:
        yield
    except _Refused as refused:
        nothing_there = refused.status == httpx.codes.NOT_FOUND and refused.kind != "NotFound"
        if refused.status not in words or refused.kind is None or nothing_there:
            note = _log.error if refused.status == httpx.codes.UNAUTHORIZED else _log.warning
            note("network_refused", status=refused.status, kind=refused.kind)
            raise nothing_is_known() from None
        word, text = words[refused.status]
        retry_after = refused.retry_after if word is RateLimited else None
        raise word(WHY_TAKEN.get(refused.kind, text), reason=refused.kind, retry_after=retry_after) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        _log.warning("network_unavailable", why=type(error).__name__)
        raise nothing_is_known() from None


def _outcome_for(end_to_end_id: EndToEndId, answer: object) -> Outcome:
    answered, outcome = wire.status_in(answer)
    if answered != end_to_end_id:
        raise ValueError("the network answered another payment")
    return outcome
