"""OpenPix (Woovi), reached by its public HTTP API with a tenant's own AppID. Translates; decides nothing.

An AppID acts on one account at OpenPix. That account is opened, reviewed and given its keys there, so this adapter
takes it over, and neither reviews documents nor registers keys. Payments go out under OpenPix's own end-to-end ids.
"""

# ruff: noqa: ARG002 - what the Protocols hand over, and OpenPix knows by the AppID or does not ask

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import quote
from uuid import UUID

import httpx

from lastro import logs
from lastro.errors import (
    Flaw,
    KeyNotFound,
    ProviderUnavailable,
    RateLimited,
    Unauthorized,
    Unprocessable,
    Validation,
)
from lastro.jsonapi import strict_json
from lastro.providers import openpix_news as news
from lastro.providers import openpix_wire as wire
from lastro.providers.directory import Access, Adapter
from lastro.providers.features import Feature
from lastro.providers.openpix_account import OwnAccount
from lastro.providers.openpix_refusals import Refused, RefusedAsSuch, refused_by
from lastro.providers.protocol import (
    Holder,
    InFlight,
    Instruction,
    KeyOwner,
    KycPaper,
    MadeCode,
    Notification,
    Opened,
    Outcome,
    Probe,
    Rejected,
    ReturnInstruction,
    WantedCode,
)
from lastro.providers.refusals import NO_NOTIFICATION, NO_SUCH_KEY, NOT_TO_BE_ASKED, TOO_OFTEN, Words, nothing_is_known
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Invalid, Text

FEATURES = frozenset(
    {
        Feature.ACCOUNTS,
        Feature.PIX_LOOKUP,
        Feature.PIX_SEND,
        Feature.PIX_RECEIVE,
        Feature.PIX_REFUND,
        Feature.PIX_QRCODE,
    }
)
"""Not KYC and MESSAGES, which its API does not have in this form; not PIX_KEYS: a random key that is asked for twice
after a lost answer is made twice, because the request has no id."""

APP_ID = "apiKey"
"""The credential that holds the AppID."""
PUBLIC_KEYS = "webhookPublicKeys"
"""The setting with the keys under which OpenPix signs, between commas: while one takes the place of another, both."""

_CONNECT_SECONDS = 2.0
_CALL_SECONDS = 5.0
_ALL_SECONDS = 8.0  # for a batch, or all the calls of one question: less than the lease of a promise
_AT_ONCE = 16
_MOST_PAYMENTS = 100
_SURE_SECONDS = 60.0  # that the AppID acts on the account it acted on before
_LEAST_TOKENS = 20  # with fewer, OpenPix refuses lookups and payments alike
_LEAST_LIFETIME = timedelta(minutes=5)

_log = logs.logger("openpix")

_APP_ID = re.compile(r"[!-~]{1,1000}")
_BAD_SIGNATURE = Text("Assinatura inválida.", "The signature is invalid.")
_NOT_OFFERED = Text("O provedor não oferece esta operação.", "The provider does not offer this.")
_ANOTHER_HOLDER = Text(
    "O provedor não tem conta para este documento sob a credencial cadastrada.",
    "Under its credential the provider has no account for this document.",
)
_NO_CODE = Text("O provedor recusou este QR Code.", "The provider refused this QR code.")
_TOO_SHORT = Text(
    "Neste provedor, um QR Code dinâmico vale pelo menos 5 minutos.",
    "At this provider a dynamic QR code is good for 5 minutes at least.",
)
_NO_APP_ID = Text("O AppID é inválido.", "The AppID is invalid.")
_FEW_TOKENS = "the directory takes no more questions for now"


def adapter(client: httpx.AsyncClient, *, base_url: str) -> Adapter:
    """OpenPix at an address of the operator's; AppID and public keys are those of each provider."""
    return Adapter(
        FEATURES,
        frozenset({AccountType.PAYMENT}),
        lambda access: OpenPixHttp(client, base_url=base_url, access=access),
        needs=frozenset({APP_ID}),
        takes=frozenset({APP_ID}),
        settings=frozenset({PUBLIC_KEYS}),
    )


class OpenPixHttp:
    """One AppID at OpenPix, and so one account. Implements `lastro.providers.protocol.Provider`."""

    def __init__(self, client: httpx.AsyncClient, *, base_url: str, access: Access) -> None:
        """`client` is the caller's to close; `base_url` has no path. Raises Invalid."""
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._app_id = access.credentials.get(APP_ID, "")
        if not _APP_ID.fullmatch(self._app_id):
            raise Invalid(_NO_APP_ID)
        self._keys = news.keys_in(access.settings.get(PUBLIC_KEYS))
        self._own = OwnAccount(self._call, access.ispb)

    async def find_key(self, key: PixKey, *, ispb: str, payer_tax_id: TaxId, end_to_end_id: EndToEndId) -> KeyOwner:
        """Ask DICT through OpenPix, which knows who asks by the AppID and makes the end-to-end id itself.

        May be repeated, at the price of a question. Raises KeyNotFound, RateLimited, Unprocessable,
        ProviderUnavailable.
        """
        with _in_our_words({404: (KeyNotFound, NO_SUCH_KEY), 429: (RateLimited, TOO_OFTEN)}):
            try:
                answer = await self._call("POST", "/pix-keys/check", body={"pixKey": key.value})
            except RefusedAsSuch as refused:
                if refused.is_about_the_key:
                    raise Unprocessable(NOT_TO_BE_ASKED) from None
                raise
            owner = wire.key_owner_in(answer)
            if owner.key != key:
                raise ValueError("OpenPix answered another key")
            return owner

    async def settle(self, instructions: Sequence[Instruction]) -> Sequence[Outcome | None]:
        """Request and approve up to 100 payments, side by side. Raises ProviderUnavailable: nothing is known of any.

        May be repeated: a request under a known id is refused, and only one that waits for approval is approved.
        """
        if len(instructions) > _MOST_PAYMENTS:
            raise AssertionError("a batch holds at most a hundred instructions")
        places = asyncio.Semaphore(_AT_ONCE)
        deadline = asyncio.get_running_loop().time() + _ALL_SECONDS

        async def one(instruction: Instruction) -> Outcome | None:
            try:
                with _in_our_words():
                    async with asyncio.timeout_at(deadline), places:
                        return await self._pay(instruction)
            except ProviderUnavailable:
                return None

        with _in_our_words():
            async with asyncio.timeout_at(deadline):
                await self._own.must_be([each.payer.account for each in instructions], sure_for=_SURE_SECONDS)
        outcomes = await asyncio.gather(*map(one, instructions))
        if outcomes and not any(outcomes):
            raise nothing_is_known()
        return outcomes

    async def _pay(self, instruction: Instruction) -> Outcome:
        """Two steps, so that a request whose answer was lost, however late it arrives, moves nothing by itself."""
        if instruction.txid is not None:
            # A payment by key has no place for it, and who is paid would not know for what.
            return Rejected(wire.BY_KEY_ALONE)
        try:
            answer = await self._call("POST", "/payment", body=wire.payment_out(instruction))
        except RefusedAsSuch as refused:
            answer = await self._find("/payment", instruction.end_to_end_id)
            if answer is None:
                await self._own.must_be([instruction.payer.account])
                return Rejected(wire.reason_in(refused.says))
        payment = wire.payment_in(answer, instruction.end_to_end_id, instruction)
        if payment.outcome is not None:
            return payment.outcome
        try:
            body = {"correlationID": instruction.end_to_end_id}
            answer = await self._call("POST", "/payment/approve", body=body)
        except RefusedAsSuch:
            # Approved by a twin just now, or not to be had for lack of balance. The request stays there and can be
            # approved for ever, by whoever works in OpenPix's panel: no refusal of this step is the payment's end.
            answer = await self._find("/payment", instruction.end_to_end_id)
            if answer is None:
                raise
        payment = wire.payment_in(answer, instruction.end_to_end_id, instruction)
        return payment.outcome or InFlight()

    async def give_back(self, instruction: ReturnInstruction) -> Outcome:
        """Return a received Pix, or part of it. May be repeated, by return id. Raises ProviderUnavailable.

        Refunds are few, so the AppID's account is looked at before each, and again before a refusal is believed.
        """
        with _in_our_words():
            async with asyncio.timeout(_ALL_SECONDS):
                await self._own.must_be([instruction.account])
                try:
                    answer = await self._call("POST", "/refund", body=wire.refund_out(instruction))
                except RefusedAsSuch as refused:
                    answer = await self._find("/refund", instruction.return_id)
                    if answer is None:
                        await self._own.must_be([instruction.account])
                        return Rejected(wire.reason_in(refused.says))
                return wire.refund_in(answer, instruction.return_id, instruction.amount)

    async def outcome_of(self, end_to_end_id: EndToEndId, *, account: BankAccount) -> Outcome | None:
        """What OpenPix knows of a payment or a refund; None: it never saw it. Raises ProviderUnavailable."""
        with _in_our_words():
            async with asyncio.timeout(_ALL_SECONDS):
                await self._own.must_be([account])
                if end_to_end_id.is_return:
                    answer = await self._find("/refund", end_to_end_id)
                    return None if answer is None else wire.refund_in(answer, end_to_end_id)
                answer = await self._find("/payment", end_to_end_id)
                return None if answer is None else wire.payment_in(answer, end_to_end_id).outcome or InFlight()

    async def open_account(
        self, holder: Holder, kind: AccountType, *, ispb: str, provider_id: UUID, request_id: UUID
    ) -> Opened:
        """Take over the account on which the AppID acts, if it is the holder's: OpenPix has opened it long ago.

        Only reads, so it may be repeated. Raises ProviderUnavailable, Unprocessable.
        """
        with _in_our_words():
            async with asyncio.timeout(_ALL_SECONDS):
                found = await self._own.found(ispb)
        if found is None or found[0] != holder.tax_id or found[1].kind is not kind:
            raise Unprocessable(_ANOTHER_HOLDER)
        return Opened(found[1].branch, found[1].number)

    async def make_code(self, wanted: WantedCode) -> MadeCode:
        """A charge, or a static code under the account's default key. May be repeated, by id.

        Raises Unprocessable, ProviderUnavailable.
        """
        if wanted.lifetime is not None and wanted.lifetime < _LEAST_LIFETIME:
            raise Unprocessable(_TOO_SHORT, flaws=[Flaw(_TOO_SHORT, pointer="/data/attributes/expiresInMinutes")])
        with _in_our_words({400: (Unprocessable, _NO_CODE)}):
            async with asyncio.timeout(_ALL_SECONDS):
                if wanted.lifetime is not None:
                    path = "/charge?return_existing=true"
                    return wire.charge_in(await self._call("POST", path, body=wire.charge_out(wanted)), wanted)
                return wire.static_in(await self._static(wanted), wanted)

    async def _static(self, wanted: WantedCode) -> Any:
        try:
            return await self._call("POST", "/qrcode-static", body=wire.static_out(wanted))
        except RefusedAsSuch:
            answer = await self._find("/qrcode-static", str(wanted.id))
            if answer is None:
                raise
            return answer

    def read(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """What OpenPix tells us, unasked. It signs no time, so what it told may be told again by anybody who heard it;
        every effect is keyed by Pix' own ids, so that does no harm. Raises Unauthorized, Validation.
        """
        shown = {name.lower(): value for name, value in headers.items()}
        if not news.is_signed(body, shown.get("x-webhook-signature", ""), self._keys):
            raise Unauthorized(_BAD_SIGNATURE)
        try:
            return news.notification_in(body)
        except ValueError:
            raise Validation(NO_NOTIFICATION) from None

    async def examine(self, *, ispb: str) -> Sequence[Probe]:
        """Whether the AppID is good, and whether the directory still answers it. Only reads."""
        return [
            await self._probe("AUTH", "/account/", wire.default_account_in, "this AppID acts on no account"),
            await self._probe("DICT", "/pix-keys/tokens", _enough_tokens, _FEW_TOKENS),
        ]

    async def _probe(self, name: str, path: str, reads: Callable[[object], object], otherwise: str) -> Probe:
        began = time.monotonic()
        try:
            problem = None if reads(await self._call("GET", path)) else otherwise
        except Refused as refused:
            problem = f"refused with {refused.status}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            problem = type(error).__name__
        return Probe(name, round((time.monotonic() - began) * 1000), problem)

    async def register_key(
        self, key: PixKey | None, *, kind: KeyType, owner: Holder, account: BankAccount, request_id: UUID
    ) -> PixKey:
        """Not offered."""
        _not_offered()

    async def remove_key(self, key: PixKey, *, ispb: str, request_id: UUID) -> None:
        """Not offered."""
        _not_offered()

    async def send_code(self, kind: KeyType, address: str, *, code: str, key_id: UUID, expires_at: datetime) -> None:
        """Not offered."""
        _not_offered()

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
        """Not offered."""
        _not_offered()

    async def _find(self, path: str, correlation_id: str) -> Any | None:
        """What OpenPix has under an id of ours; None only if it says itself that there is nothing."""
        try:
            return await self._call("GET", f"{path}/{quote(correlation_id, safe='')}")
        except Refused as refused:
            if refused.means_nothing_is_there(path):
                return None
            raise Refused(refused.status, None) from None  # no answer to the request that made us look

    async def _call(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> Any:
        """One call. Raises Refused, httpx.HTTPError, OSError, ValueError."""
        sent = {"Authorization": self._app_id}
        content = None
        if body is not None:
            content = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        timeout = httpx.Timeout(_CALL_SECONDS, connect=_CONNECT_SECONDS)
        async with asyncio.timeout(_CONNECT_SECONDS + _CALL_SECONDS):
            response = await self._client.request(
                method,
                f"{self._base_url}/api/v1{path}",
                headers=sent,
                content=content,
                timeout=timeout,
                follow_redirects=False,
            )
        if not response.is_success:
            raise refused_by(response)
        answer = strict_json.parse(response.content)
        if not isinstance(answer, dict):
            raise ValueError("not an answer of OpenPix's")  # noqa: TRY004 - and None would mean that nothing is there
        return answer


@contextmanager
def _in_our_words(words: Words = MappingProxyType({})) -> Iterator[None]:
    """A refusal that we have a word for is raised as that word, if OpenPix says it in its form; all else means that
    nothing is known. Nothing of httpx leaves here, and nothing of what OpenPix says: it may hold keys.
    """
    try:
        yield
    except Refused as refused:
        if refused.status not in words or not refused.says:
            note = _log.error if refused.status in {401, 403} else _log.warning
            note("openpix_refused", status=refused.status)
            raise nothing_is_known() from None
        word, text = words[refused.status]
        raise word(text, retry_after=refused.retry_after if word is RateLimited else None) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        _log.warning("openpix_unavailable", why=type(error).__name__)
        raise nothing_is_known() from None


def _enough_tokens(answer: object) -> bool:
    return wire.tokens_in(answer) >= _LEAST_TOKENS


def _not_offered() -> NoReturn:
    raise Unprocessable(_NOT_OFFERED)
