"""OpenPix's double: its public API over real HTTP, a book in memory, signed webhooks, and faults that a test orders.

Built from the specification: a request that does not fit its schemas is refused, and an answer that does not fit them
is a bug of the double, which fails the test. What the specification leaves open (the sentence of a refusal, what a
repeated request is answered) follows OpenPix's guides.
"""

import asyncio
import base64
import json
import secrets
from binascii import crc_hqx
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jsonschema import Draft202012Validator
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from lastro.values.end_to_end_id import EndToEndId
from providers.openpix_schemas import ANSWERS, ERROR, EVENTS, REQUESTS

Json = dict[str, Any]

APP_ID = "Q2xpZW50X0lkXzEyMzpDbGllbnRfU2VjcmV0XzQ1Ng=="
ISPB = "54811417"
KEY = "c4249323-b4ca-43f2-8139-8232aab09b93"
MISS = 20


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, error: str, code: str | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.code = status, error, code


@dataclass
class Somebody:
    """Somebody at another bank, whom the directory knows by a key."""

    name: str
    tax_id: str
    kind: str
    ispb: str = "18236120"


@dataclass
class Fault:
    """What goes wrong with calls whose "METHOD /path" begins like this. Lost: before the work; dropped: after it."""

    call: str
    times: int = 1
    lost: bool = False
    dropped: bool = False
    status: int | None = None
    seconds: float = 0.0


@dataclass
class Payment:
    """A payment to another bank."""

    order: Json
    end_to_end_id: str
    status: str = "CREATED"
    time: str = ""
    why: str = ""

    @property
    def shown(self) -> Json:
        names = ("type", "value", "destinationAlias", "destinationAliasType", "correlationID", "comment")
        return {name: self.order[name] for name in names if name in self.order} | {"status": self.status}

    @property
    def transaction(self) -> Json:
        told = {"value": self.order["value"], "endToEndId": self.end_to_end_id, "time": self.time}
        return told | ({"providerRejectedReason": self.why} if self.why else {})


@dataclass
class Double:
    """One account at OpenPix under one AppID."""

    tax_id: str
    name: str = "Empresa ABC Ltda"
    app_id: str = APP_ID
    branch: str = "0001"
    account: str = "00000000000000123456"
    balance: int = 10**12
    tokens: int = 500
    deliver_to: str | None = None
    directory: dict[str, Somebody] = field(default_factory=dict)
    looked_up: set[str] = field(default_factory=set)
    payments: dict[str, Payment] = field(default_factory=dict)
    left: list[Json] = field(default_factory=list)
    """Every time that money left, in order: what must never happen twice."""
    received: dict[str, int] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    statics: dict[str, Json] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    slow_keys: set[str] = field(default_factory=set)
    refused_keys: dict[str, str] = field(default_factory=dict)
    duplicates: int = 0
    letters: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)
    _telling: set[asyncio.Task[None]] = field(default_factory=set)

    @cached_property
    def private_key(self) -> RSAPrivateKey:
        return generate_private_key(65537, 1024)

    @property
    def public_key(self) -> str:
        return self.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = unquote(scope["raw_path"].decode().partition("?")[0]).removeprefix("/api/v1")
        call = f"{request.method} {path}"
        self.calls.append(call)
        body = await request.body()
        fault = next((each for each in self.faults if each.times and call.startswith(each.call)), None)
        if fault is not None:
            fault.times -= 1
            await asyncio.sleep(fault.seconds)
        status, answer = 500, {"error": "Internal error"}
        if fault is None or not (fault.lost or (fault.status and not fault.dropped)):
            status, answer = self._answer(call, request, body)
        if fault is not None and (fault.lost or fault.dropped):
            # Headers that promise more than comes: the client sees a connection that breaks.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise ConnectionError("dropped, as ordered")
        if fault is not None and fault.status is not None:
            status, answer = fault.status, {"error": "As ordered"}
        content = json.dumps(answer, ensure_ascii=False).encode()
        headers = [(b"content-type", b"application/json; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, call: str, request: Request, body: bytes) -> tuple[int, Json]:
        try:
            name, answer = self._worked(call, request, json.loads(body) if body else {})
            self._check(name, ANSWERS[name], answer)
        except Refused as refused:
            error = {"error": refused.error} | ({"errorCode": refused.code} if refused.code else {})
            self._check("error", ERROR, error)
            return refused.status, error
        return 200, answer

    def _worked(self, call: str, request: Request, said: Json) -> tuple[str, Json]:
        if request.headers.get("authorization") != self.app_id:
            raise Refused(401, "appID inválido")
        name, work = self._desk(call)
        if name in REQUESTS:
            flaw = next(Draft202012Validator(REQUESTS[name]).iter_errors(said), None)
            if flaw is not None:
                raise Refused(400, f"Requisição inválida: {flaw.message}")
        return name, work(said, request)

    def _desk(self, call: str) -> tuple[str, Callable[[Json, Request], Json]]:
        desks: dict[str, Callable[[Json, Request], Json]] = {
            "POST /pix-keys/check": self._check_key,
            "GET /pix-keys/tokens": self._show_tokens,
            "POST /payment": self._request_payment,
            "POST /payment/approve": self._approve,
            "POST /refund": self._refund,
            "POST /charge": self._charge,
            "POST /qrcode-static": self._static,
            "GET /account/": self._accounts,
        }
        if call in desks:
            return call, desks[call]
        place, _, one = call.rpartition("/")
        shelves: dict[str, Callable[[str], Json]] = {
            "GET /payment": self._show_payment,
            "GET /refund": self._show_refund,
            "GET /qrcode-static": self._show_static,
            "GET /account": self._show_account,
        }
        if place not in shelves:
            raise Refused(404, "Not Found")
        return place, lambda _said, _request: shelves[place](one)

    def _check(self, name: str, schema: Json, answer: Json) -> None:
        self.bugs += [f"{name}: {flaw.message}" for flaw in Draft202012Validator(schema).iter_errors(answer)]

    # The directory

    def _check_key(self, said: Json, _request: Request) -> Json:
        if self.tokens < MISS:
            raise Refused(429, "You tried to consult many Pix keys that do not exist.", "TOO_MANY_REQUESTS")
        found = self.directory.get(said["pixKey"])
        if said["pixKey"] == "":
            raise Refused(400, "Chave Pix inválida")
        if found is None:
            self.tokens -= MISS
            raise Refused(404, "Chave pix não encontrada", "PIX_KEY_INFO_NOT_FOUND")
        if found.name.startswith("Fraude"):
            raise Refused(400, "Pix key related to an account suspected of fraud")
        self.tokens -= 1
        end_to_end_id = EndToEndId.new(ISPB, datetime.now(UTC))
        self.looked_up.add(end_to_end_id)
        return {
            "pixKey": said["pixKey"],
            "type": found.kind,
            "pixKeyEndToEndId": end_to_end_id,
            "owner": {
                "name": found.name,
                "taxID": _covered(found.tax_id),
                "psp": found.ispb,
                "branch": "****",
                "account": "********************",
            },
        }

    def _show_tokens(self, _said: Json, _request: Request) -> Json:
        return {
            "tokens": self.tokens,
            "maxTokens": 500,
            "refreshRate": 20,
            "tokensAfterRefresh": min(self.tokens + 20, 500),
            "nextRefresh": _now(),
        }

    # Payments

    def _request_payment(self, said: Json, _request: Request) -> Json:
        if said["correlationID"] in self.payments:
            raise Refused(400, "Já existe um pagamento com o correlationID fornecido")
        if said["destinationAlias"] not in self.directory:
            raise Refused(400, "Chave Pix inválida")
        # It goes out under the id of the lookup; without one, or with one that OpenPix never made, under a new one.
        looked_up = said.get("pixKeyEndToEndId")
        its_id = looked_up if looked_up in self.looked_up else EndToEndId.new(ISPB, datetime.now(UTC))
        payment = self.payments[said["correlationID"]] = Payment(said, its_id)
        return {"payment": payment.shown}

    def _approve(self, said: Json, _request: Request) -> Json:
        payment = self.payments.get(said["correlationID"])
        if payment is None:
            raise Refused(400, "Pagamento não encontrado")
        if payment.status != "CREATED":
            raise Refused(400, "O pagamento já foi aprovado")
        if payment.order["value"] > self.balance:
            raise Refused(400, "Você não possui saldo o suficiente para realizar esse pagamento")
        payment.status, payment.time = "APPROVED", _now()
        answer = {"payment": payment.shown, "transaction": payment.transaction}
        if payment.order["destinationAlias"] not in self.slow_keys:
            self.conclude(said["correlationID"])
        return answer

    def conclude(self, correlation_id: str) -> None:
        """The rail has spoken: the payment is confirmed, or failed if its key is one of those that are refused."""
        payment = self.payments[correlation_id]
        assert payment.status == "APPROVED"
        told: Json = {name: payment.shown[name] for name in ("value", "correlationID", "destinationAlias")}
        why = self.refused_keys.get(payment.order["destinationAlias"])
        if why is None:
            payment.status = "CONFIRMED"
            self.balance -= payment.order["value"]
            self.left.append(payment.shown)
            event = {"event": "OPENPIX:MOVEMENT_CONFIRMED"}
        else:
            payment.status, payment.why = "FAILED", f"{why} - rejeitado"
            error = {"code": "PAY_PIX_KEY_ERROR", "description": "Falha ao Pagar Chave Pix"}
            event = {"event": "OPENPIX:MOVEMENT_FAILED", "error": error}  # type: ignore[dict-item]
        self.tell(event | {"payment": told | {"status": payment.status}, "transaction": payment.transaction})

    def _show_payment(self, correlation_id: str) -> Json:
        payment = self.payments.get(correlation_id)
        if payment is None:
            raise Refused(400, "Pagamento não encontrado")
        moved = {"transaction": payment.transaction} if payment.time else {}
        return {"payment": payment.shown, **moved}

    def comes_back(self, correlation_id: str, centavos: int) -> str:
        """Whoever was paid returns some of it; the return's id."""
        payment = self.payments[correlation_id]
        assert payment.status == "CONFIRMED"
        return_id = EndToEndId.new_return("18236120", datetime.now(UTC))
        self.balance += centavos
        self._tell_of_return("PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED", return_id, centavos, payment.transaction)
        return return_id

    def _tell_of_return(self, event: str, return_id: str, centavos: int, original: Json) -> None:
        returned = {"value": centavos, "time": _now(), "endToEndId": return_id, "status": "CONFIRMED", "type": "REFUND"}
        told = {name: original[name] for name in ("value", "time", "endToEndId")}
        self.tell(
            {
                "event": event,
                "refundTransaction": returned,
                "originalTransaction": told,
                "company": {"id": "1", "name": self.name},
                "account": {"branch": self.branch, "account": self.account},
            }
        )

    # What arrives, and goes back

    def is_paid(
        self, centavos: int, *, txid: str | None = None, kind: str = "PAYMENT", comment: str = ""
    ) -> EndToEndId:
        """Somebody at another bank pays this account."""
        end_to_end_id = EndToEndId.new("18236120", datetime.now(UTC))
        self.received[end_to_end_id] = centavos
        self.balance += centavos
        pix = {
            "debitParty": {
                "account": {"branch": "1", "account": "543210", "accountType": "CACC"},
                "psp": {"id": "18236120", "name": "BANCO PAGAMENTOS - IP"},
                "holder": {"taxID": {"taxID": "39053344705", "type": "BR:CPF"}, "name": "Maria Souza"},
            },
            "creditParty": {
                "pixKey": {"pixKey": KEY, "type": "RANDOM"},
                "account": {"branch": "1", "account": self.account, "accountType": "TRAN"},
                "psp": {"id": ISPB, "name": "WOOVI IP LTDA."},
                "holder": {"taxID": {"taxID": self.tax_id, "type": "BR:CNPJ"}},
            },
            "value": centavos,
            "time": _now(),
            "endToEndId": end_to_end_id,
            "fee": 80,
            "status": "CONFIRMED",
            "type": kind,
            "globalID": secrets.token_hex(8),
        }
        pix |= ({"transactionID": txid} if txid else {}) | ({"infoPagador": comment} if comment else {})
        self.tell(
            {
                "event": "OPENPIX:TRANSACTION_RECEIVED",
                "pix": pix,
                "charge": None,
                "pixQrCode": None,
                "company": {"id": "1", "name": self.name, "taxID": self.tax_id},
                "account": {"branch": self.branch, "account": self.account},
                "refunds": [],
            }
        )
        return end_to_end_id

    def charge_is_paid(self, txid: str) -> EndToEndId:
        """Somebody scans a charge of this account, and pays what it says."""
        (charge,) = [each for each in self.charges.values() if each["transactionID"] == txid]
        assert charge["status"] == "ACTIVE"
        charge["status"] = "COMPLETED"
        return self.is_paid(charge["value"], txid=txid, kind="DYNAMIC")

    def _refund(self, said: Json, _request: Request) -> Json:
        if said["correlationID"] in self.refunds:
            raise Refused(400, "Já existe um reembolso com o correlationID fornecido")
        left = self.received.get(said["transactionEndToEndId"])
        if left is None:
            raise Refused(400, "Transação não encontrada")
        if said["value"] > left:
            raise Refused(400, "O valor do reembolso é maior que o disponível")
        self.received[said["transactionEndToEndId"]] = left - said["value"]
        self.balance -= said["value"]
        refund = {
            "value": said["value"],
            "status": "IN_PROCESSING",
            "correlationID": said["correlationID"],
            "refundId": uuid4().hex,
            "time": _now(),
        }
        self.refunds[said["correlationID"]] = refund | {
            "status": "REFUNDED",
            "returnIdentification": EndToEndId.new_return(ISPB, datetime.now(UTC)),
        }
        self.left.append(refund)
        original = {"value": left, "time": _now(), "endToEndId": said["transactionEndToEndId"]}
        done = self.refunds[said["correlationID"]]["returnIdentification"]
        self._tell_of_return("PIX_TRANSACTION_REFUND_SENT_CONFIRMED", done, said["value"], original)
        return {"refund": refund}

    def _show_refund(self, correlation_id: str) -> Json:
        if correlation_id not in self.refunds:
            raise Refused(400, "Reembolso não encontrado")
        return {"pixTransactionRefund": self.refunds[correlation_id]}

    # Codes

    def _charge(self, said: Json, request: Request) -> Json:
        charge = self.charges.get(said["correlationID"])
        if charge is not None and request.query_params.get("return_existing") != "true":
            raise Refused(400, "Já existe uma cobrança com o correlationID fornecido")
        if charge is None:
            txid, now = uuid4().hex, datetime.now(UTC)
            text = _br_code([("25", f"api.woovi.com/api/pix/qr/v1/{txid}")], said["value"], txid[:25])
            charge = self.charges[said["correlationID"]] = {
                "value": said["value"],
                "status": "ACTIVE",
                "type": "DYNAMIC",
                "correlationID": said["correlationID"],
                "transactionID": txid,
                "brCode": text,
                "pixKey": KEY,
                "expiresDate": _time(now + timedelta(seconds=said.get("expiresIn", 86400))),
                "createdAt": _time(now),
                "paymentMethods": {
                    "pix": {"method": "PIX_COB", "txId": txid, "value": said["value"], "brCode": text},
                },
            }
        return {"charge": charge, "correlationID": charge["correlationID"], "brCode": charge["brCode"]}

    def _static(self, said: Json, _request: Request) -> Json:
        correlation_id = said.get("correlationID") or str(uuid4())
        if correlation_id in self.statics:
            raise Refused(400, "Já existe um QR Code com o correlationID fornecido")
        identifier = uuid4().hex[:25]
        code = {
            "name": said["name"],
            "correlationID": correlation_id,
            "identifier": identifier,
            "brCode": _br_code([("01", KEY)], said.get("value"), identifier),
            "createdAt": _now(),
        } | ({"value": said["value"]} if "value" in said else {})
        self.statics[correlation_id] = code
        return {"pixQrCode": code, "correlationID": correlation_id, "brCode": code["brCode"]}

    def _show_static(self, correlation_id: str) -> Json:
        if correlation_id not in self.statics:
            raise Refused(400, "QR Code não encontrado")
        return {"pixQrCode": self.statics[correlation_id]}

    # The account

    def _accounts(self, _said: Json, _request: Request) -> Json:
        other = {"accountId": "6286b467a7910113577e00ce", "isDefault": False, "balance": self._balance}
        mine = {"accountId": "6290ccfd42831958a405debc", "isDefault": True, "balance": self._balance}
        return {"accounts": [other, mine], "pageInfo": {"skip": 0, "limit": 10, "hasNextPage": False}}

    def _show_account(self, account_id: str) -> Json:
        if account_id != "6290ccfd42831958a405debc":
            raise Refused(400, "Conta não encontrada")
        return {
            "account": {
                "accountId": account_id,
                "isDefault": True,
                "balance": self._balance,
                "taxId": self.tax_id,
                "officialName": self.name,
                "branch": self.branch,
                "account": self.account,
            }
        }

    @property
    def _balance(self) -> Json:
        return {"total": self.balance, "blocked": 0, "available": self.balance}

    # News

    def signed(self, event: Json) -> tuple[dict[str, str], bytes]:
        """A webhook call: headers and body."""
        body = json.dumps(event, ensure_ascii=False).encode()
        signature = base64.b64encode(self.private_key.sign(body, PKCS1v15(), SHA256())).decode()
        return {"x-webhook-signature": signature, "content-type": "application/json"}, body

    def tell(self, event: Json) -> None:
        """Write a letter, and bring it to whoever listens, as often as it takes (and `duplicates` times more)."""
        self._check(event["event"], EVENTS[event["event"]], event)
        letter = self.signed(event)
        self.letters.append(letter)
        if self.deliver_to is not None:
            task = asyncio.get_running_loop().create_task(self._deliver(self.deliver_to, letter))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _deliver(self, address: str, letter: tuple[dict[str, str], bytes]) -> None:
        headers, body = letter
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            for _ in range(1 + self.duplicates):
                for attempt in range(8):
                    answer = await client.post(address, headers=headers, content=body)
                    self.answered.append(answer.status_code)
                    if answer.status_code < 400:
                        break
                    await asyncio.sleep(0.1 * 2**attempt)

    async def told(self) -> None:
        """Wait until every letter has been delivered."""
        await asyncio.gather(*self._telling)


@dataclass
class Accounts:
    """Several accounts behind one address: the AppID says which one is meant."""

    doubles: list[Double]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app_id = Request(scope).headers.get("authorization")
        meant = next((each for each in self.doubles if each.app_id == app_id), self.doubles[0])  # which answers 401
        await meant(scope, receive, send)


def _covered(tax_id: str) -> str:
    if len(tax_id) == 11:
        return f"{tax_id[:3]}.***.***-{tax_id[9:]}"
    return f"{tax_id[:2]}.{tax_id[2:5]}.{tax_id[5:8]}/{tax_id[8:12]}-{tax_id[12:]}"


def _br_code(pix: list[tuple[str, str]], centavos: int | None, txid: str) -> str:
    """EMV's row of fields, written without the product's own writer."""

    def row(fields: list[tuple[str, str]]) -> str:
        return "".join(f"{tag}{len(value):02}{value}" for tag, value in fields)

    amount = [] if centavos is None else [("54", f"{centavos // 100}.{centavos % 100:02}")]
    fields = [
        ("00", "01"),
        ("26", row([("00", "br.gov.bcb.pix"), *pix])),
        ("52", "0000"),
        ("53", "986"),
        *amount,
        ("58", "BR"),
        ("59", "Empresa_ABC"),
        ("60", "Sao_Paulo"),
        ("62", row([("05", txid)])),
    ]
    text = row(fields) + "6304"
    return text + f"{crc_hqx(text.encode(), 0xFFFF):04X}"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now() -> str:
    return _time(datetime.now(UTC))
