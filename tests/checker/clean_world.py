"""A small bank whose books are right, written row by row without the services: what the checker must find clean."""

import hashlib
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Connection = Any  # asyncpg's, which has no types

ISPB = {"one": "12345678", "two": "1B2C3D4E"}  # each tenant has a provider of its own
_OUTSIDE = "60701190"
_POTS = {
    "HOLD": ("AVAILABLE", "IN_TRANSIT"),
    "SETTLE": ("IN_TRANSIT", "SPI"),
    "RELEASE": ("IN_TRANSIT", "AVAILABLE"),
    "RECEIVE": ("SPI", "AVAILABLE"),
    "PAY": ("IN_TRANSIT", "BOOK"),
    "COLLECT": ("BOOK", "AVAILABLE"),
    "TRANSFER": ("AVAILABLE", "BOOK"),
}


_A_PICTURE = {
    "media_type": "image/png",
    "width": 32,
    "height": 32,
    "size": 4,
    "sha256": f"\\x{'00' * 32}",
    "key_id": "k1",
    "sealed": f"\\x{'00' * 32}",
}


_EMPTY_SHA256 = f"\\x{hashlib.sha256(b'{}').hexdigest()}"  # of the body that every event here has


def id_of(name: str) -> UUID:
    """The id of whatever has this name."""
    return uuid5(UUID(int=0), name)


class CleanWorld:
    """Rows by table, as the services would have left them. Names are ids; amounts are centavos."""

    def __init__(self) -> None:
        self.bank: dict[str, list[Row]] = defaultdict(list)
        self.network: list[Row] = []
        self.directory: dict[str, list[Row]] = {"account": [], "entry": []}
        self._now = datetime.now(UTC) - timedelta(hours=1)
        self._made = 0
        self._rows: dict[str, Row] = {}
        self._balances: dict[str, Row] = {}
        self._all_is_told = False

    def tenant(self, name: str) -> None:
        """A tenant and its provider, `name` and `name's bank`."""
        self._add("tenants", name, name=name, tax_id="11222333000181")
        self._add(
            "providers",
            f"{name}'s bank",
            tenant_id=id_of(name),
            name=name,
            ispb=ISPB[name],
            house=ISPB[name],
            adapter="network",
            account_types=["CHECKING"],
            strict_documents=False,
            hides_accounts=False,
            updated_at=self._now,
        )

    def let_in(self, account: str, name: str) -> None:
        """A client that reaches one account, with a token, and a token bound likewise; the account is the main one."""
        tenant_id = self._rows[account]["tenant_id"]
        reach = {"tenant_id": tenant_id, "name": name, "permissions": ["BAAS_PIX_SEND"], "secret_hmac": "\\x00"}
        bucket = {"millitokens": 0, "refilled_at": self._now, "updated_at": self._now}
        self._add("api_clients", name, **reach, **bucket, account_ids=[id_of(account)])
        later = self._now + timedelta(hours=9)
        self._add("api_tokens", f"{name}'s", **reach, client_id=id_of(name), expires_at=later, resource_id=id_of("a"))
        self._add("api_tokens", f"like {name}", **reach, account_ids=[id_of(account)], resource_id=id_of("b"))
        (tenant,) = (row for row in self.bank["tenants"] if row["id"] == tenant_id)
        tenant["main_account_id"] = id_of(account)

    def apply(self, name: str, tenant: str = "one") -> None:
        """An account whose holder has sent nothing yet."""
        self._add(
            "accounts",
            name,
            tenant_id=id_of(tenant),
            provider_id=id_of(f"{tenant}'s bank"),
            holder_name=name,
            holder_document=str(id_of(name).int)[:11],
            holder_document_type="CPF",
            type="CHECKING",
            status="PENDING",
            currency="BRL",
            version=1,
            updated_at=self._now,
            _tenant=tenant,
        )
        account = self._rows[name]
        who = {fact: account[fact] for fact in ("provider_id", "holder_document")}
        self.bank["open_accounts"].append({"account_id": account["id"], **who})
        empty = {"available_centavos": 0, "in_transit_centavos": 0, "seq": 0, "moved_at": None}
        self._balances[name] = {"account_id": account["id"], **empty}
        self._answered(account, "POST /baas/api/v1/accounts", "accounts", name)

    def document_of(self, name: str) -> str:
        """The document of an account's holder."""
        return str(self._rows[name]["holder_document"])

    def send(self, name: str) -> None:
        """The holder's documents, complete: the first of the account, or more of them."""
        account, called = self._rows[name], f"file of {name}"
        self._tick()
        owner = {"account_id": account["id"], "tenant_id": account["tenant_id"]}
        if called not in self._rows:
            self._add("kyc_files", called, **owner, submission=0, version=0, approved_at=None)
        file = self._rows[called]
        number = file["submission"] + 1
        file |= {"status": "PENDING", "submission": number, "version": file["version"] + 1, "updated_at": self._now}
        submission = f"{called}, submission {number}"
        self._add("kyc_submissions", submission, **owner, number=number, holder_name=account["holder_name"])
        for kind in ("RG", "SELFIE", "PROOF_OF_ADDRESS"):
            old = self._rows.get(f"{called}, {kind}")
            if old is not None:
                old["superseded_at"] = self._now
            document = f"{called}, {kind}"
            facts = {"id": id_of(f"{submission}, {kind}"), "type": kind, "status": "PENDING"}
            self._rows[document] = {**owner, **facts, "uploaded_at": self._now}
            self.bank["kyc_documents"].append(self._rows[document])
            self.bank["kyc_images"].append(
                {**owner, "document_id": facts["id"], "side": "FRONT", **_A_PICTURE, "created_at": self._now}
            )
        self._promise("kyc.submit", account["id"], id_of(submission))
        self._answered(file, "POST /baas/api/v1/accounts/{account_id}/kyc", "kyc", submission)

    def decide(self, name: str, verdict: str) -> None:
        """The provider's desk decides about what was sent last."""
        account, file = self._rows[name], self._rows[f"file of {name}"]
        self._tick()
        submission = self._rows[f"file of {name}, submission {file['submission']}"]
        submission |= {"verdict": verdict, "decided_at": self._now}
        self._keep(submission["id"])
        file |= {"status": verdict, "version": file["version"] + 2, "updated_at": self._now}
        if verdict == "APPROVED" and file["approved_at"] is None:
            file["approved_at"] = self._now
            self._promise("account.open", account["id"], account["id"])
        self._tell(file, account["id"], f"account.kyc.{verdict.lower()}")

    def open(self, name: str, tenant: str = "one") -> None:
        """An active account."""
        self.apply(name, tenant)
        self.send(name)
        self.decide(name, "APPROVED")
        account = self._rows[name]
        number = {"branch": "0001", "account_number": str(100_000 + len(self._balances))}
        account |= number
        self.bank["account_numbers"].append(
            {**number, "provider_id": account["provider_id"], "account_id": account["id"]}
        )
        self._keep(account["id"])
        self.step(name, "ACTIVE", "account.activated")
        place = {"ispb": ISPB[tenant], "branch": "0001", "number": number["account_number"], "type": "CACC"}
        owner = {"holder_name": name, "holder_tax_id": account["holder_document"], "opened_at": self._now}
        self.directory["account"].append(
            {"request_id": account["id"], "provider_id": account["provider_id"], **place, **owner}
        )

    def step(self, name: str, status: str, news: str) -> None:
        """An account goes on to another status."""
        account = self._rows[name]
        self._tick()
        account |= {"status": status, "version": account["version"] + 1, "updated_at": self._now}
        if status == "CLOSED":
            account["closed_at"] = self._now
            self.bank["open_accounts"] = [
                row for row in self.bank["open_accounts"] if row["account_id"] != account["id"]
            ]
        self._tell(account, account["id"], news)

    def receive(self, account_name: str, name: str, centavos: int, *, txid: str | None = None) -> None:
        """Somebody pays the account; the transfer gets the name."""
        end_to_end_id = self._end_to_end_id("E", _OUTSIDE)
        self._arrive(account_name, name, centavos, end_to_end_id, None)
        self._rows[name]["txid"] = txid
        self._hear(end_to_end_id, "PAYMENT", self._rows[account_name], name, centavos)
        self._move(account_name, "RECEIVE", centavos, name)
        self._book(end_to_end_id, "RECEIVED", centavos)

    def _arrive(self, account_name: str, name: str, centavos: int, end_to_end_id: str, payment: Row | None) -> None:
        account = self._rows[account_name]
        self._add(
            "pix_transfers",
            name,
            account_id=account["id"],
            tenant_id=account["tenant_id"],
            provider_id=account["provider_id"],
            amount_centavos=centavos,
            refunded_centavos=0,
            status="COMPLETED",
            e2e_id=end_to_end_id,
            payer={},
            payment_account_id=payment["account_id"] if payment else None,
            payment_id=payment["id"] if payment else None,
            version=1,
            updated_at=self._now,
            _tenant=account["_tenant"],
            _account=account_name,
            _payment=payment,
        )
        self._tell(self._rows[name], account["id"], "pix.transfer.received")

    def refuse(self, centavos: int) -> None:
        """Somebody pays an account that does not exist."""
        end_to_end_id = self._end_to_end_id("E", _OUTSIDE)
        self._hear(end_to_end_id, "PAYMENT", None, None, centavos, rejected_with="AC03")
        self._book(end_to_end_id, "RECEIVED", centavos, status="RJCT")

    def pay(self, account_name: str, name: str, centavos: int, *, held: bool = True) -> None:
        """The account pays; the payment gets the name and is PROCESSING, or PENDING when nothing was held yet."""
        account = self._rows[account_name]
        self._add(
            "pix_payments",
            name,
            account_id=account["id"],
            tenant_id=account["tenant_id"],
            provider_id=account["provider_id"],
            amount_centavos=centavos,
            status="PROCESSING" if held else "PENDING",
            recipient_key_type="EMAIL",
            recipient_key_value="someone@example.com",
            e2e_id=self._end_to_end_id("E", ISPB[account["_tenant"]]),
            payer={},
            payee={},
            returned_centavos=0,
            initiation="KEY",
            version=1,
            updated_at=self._now,
            _tenant=account["_tenant"],
            _account=account_name,
            _held=held,
        )
        if held:
            self._move(account_name, "HOLD", centavos, name)
            self._promise("pix.payment.settle", account["id"], id_of(name))
        self._answered(self._rows[name], "POST /baas/api/v1/pix/payments", "pix-payments", name)

    def conclude(self, name: str, status: str) -> None:
        """The network's word on a payment, or our own if nothing was held."""
        payment = self._rows[name]
        self._tick()
        completed = status == "COMPLETED"
        payment |= {"status": status, "version": 2, "updated_at": self._now}
        payment |= {"completed_at": self._now} if completed else {"failure_reason": "rejected"}
        self._tell(payment, payment["account_id"], f"pix.payment.{status.lower()}")
        if payment["_held"]:
            self._keep(payment["id"])
            self._move(payment["_account"], "SETTLE" if completed else "RELEASE", payment["amount_centavos"], name)
            self._book(payment["e2e_id"], "SENT", payment["amount_centavos"], status="ACSC" if completed else "RJCT")

    def look_up(self, account_name: str, payee_name: str | None = None) -> None:
        """The account asks who stands behind a key: another customer's, or a stranger's."""
        account = self._rows[account_name]
        ispb = ISPB[account["_tenant"]]
        self.bank["pix_lookups"].append(
            {
                "account_id": account["id"],
                "e2e_id": self._end_to_end_id("E", ispb),
                "key_type": "EMAIL",
                "key_value": "someone@example.com",
                "owner": {"ispb": ispb if payee_name else _OUTSIDE},
                "payee_account_id": id_of(payee_name) if payee_name else None,
                "created_at": self._now,
            }
        )

    def spend(self, level: str, holder: str, tokens: int) -> None:
        """A budget of questions to the directory, and what is left of it."""
        self.bank["lookup_budgets"].append(
            {"level": level, "holder": holder, "millitokens": tokens * 1000, "refilled_at": self._now}
        )

    def take_back(self, payment_name: str, name: str, centavos: int) -> None:
        """(Part of) a payment comes back; the return gets the name."""
        payment = self._rows[payment_name]
        self._tick()
        return_id = self._end_to_end_id("D", _OUTSIDE)
        payment["returned_centavos"] += centavos
        payment |= {"version": payment["version"] + 1, "updated_at": self._now}
        self._hear(return_id, "RETURN", self._rows[payment["_account"]], name, centavos)
        self._move(payment["_account"], "RECEIVE", centavos, name)
        self._book(return_id, "RETURNED_TO_US", centavos, original=payment["e2e_id"])
        self._come_back(payment, name)
        if payment["returned_centavos"] == payment["amount_centavos"]:
            payment["status"] = "REVERSED"
            self._tell(payment, payment["account_id"], "pix.payment.reversed")

    def pay_inside(self, payer: str, payee: str, name: str, centavos: int) -> None:
        """One customer pays another; the payment gets the name, the transfer `name, received`."""
        self.pay(payer, name, centavos)
        payment, account = self._rows[name], self._rows[payee]
        self._tick()
        payment |= {"status": "COMPLETED", "version": 2, "updated_at": self._now, "completed_at": self._now}
        payment["payee_account_id"] = account["id"]
        self._tell(payment, payment["account_id"], "pix.payment.completed")
        self._keep(payment["id"])
        self._move(payer, "PAY", centavos, name)
        self._arrive(payee, f"{name}, received", centavos, payment["e2e_id"], payment)
        self._move(payee, "COLLECT", centavos, f"{name}, received")

    def transfer(self, giver: str, taker: str, name: str, centavos: int) -> None:
        """Between two accounts of one tenant; the transfer gets the name, and the token's spending is counted."""
        account = self._rows[giver]
        self._tick()
        self._add(
            "internal_transfers",
            name,
            account_id=account["id"],
            tenant_id=account["tenant_id"],
            recipient_account_id=self._rows[taker]["id"],
            amount_centavos=centavos,
            status="COMPLETED",
            completed_at=self._now,
        )
        self._move(giver, "TRANSFER", centavos, name)
        self._move(taker, "COLLECT", centavos, name)
        self._tell({**self._rows[name], "version": 1}, account["id"], "transfer.internal.completed")
        self._answered(self._rows[name], "POST /baas/api/v1/transfers/internal", "internal-transfers", name)
        day = self._now.astimezone(ZoneInfo("America/Sao_Paulo")).date()
        self.bank["token_spending"].append({"spender": name, "day": day, "centavos": centavos})

    def refund(self, transfer_name: str, name: str, centavos: int) -> None:
        """A received Pix is given back; the refund gets the name."""
        transfer = self._rows[transfer_name]
        account = self._rows[transfer["_account"]]
        return_id = self._end_to_end_id("D", ISPB[transfer["_tenant"]])
        self._add(
            "pix_refunds",
            name,
            account_id=account["id"],
            tenant_id=transfer["tenant_id"],
            provider_id=transfer["provider_id"],
            transfer_id=transfer["id"],
            amount_centavos=centavos,
            status="PROCESSING",
            e2e_id=return_id,
            original_e2e_id=transfer["e2e_id"],
            version=1,
            updated_at=self._now,
            _transfer=transfer_name,
        )
        transfer["refunded_centavos"] += centavos
        self._move(transfer["_account"], "HOLD", centavos, name)
        self._promise("pix.refund.settle", account["id"], id_of(name))
        operation = "POST /baas/api/v1/pix/transfers/{transfer_id}/refund"
        self._answered(self._rows[name], operation, "pix-refunds", name)

    def conclude_refund(self, name: str, status: str) -> None:
        """The network's word on a refund; ours, when the payer is a customer."""
        refund = self._rows[name]
        transfer = self._rows[refund["_transfer"]]
        payment = transfer["_payment"]
        self._tick()
        completed = status == "COMPLETED"
        refund |= {"status": status, "version": 2, "updated_at": self._now}
        refund |= {"completed_at": self._now} if completed else {"failure_reason": "rejected"}
        self._tell(refund, refund["account_id"], f"pix.refund.{status.lower()}")
        self._keep(refund["id"])
        sentence = ("PAY" if payment else "SETTLE") if completed else "RELEASE"
        centavos = refund["amount_centavos"]
        self._move(transfer["_account"], sentence, centavos, name)
        if not completed:
            transfer["refunded_centavos"] -= centavos
        elif payment:
            payment["returned_centavos"] += centavos
            payment |= {"version": payment["version"] + 1, "updated_at": self._now}
            self._move(payment["_account"], "COLLECT", centavos, name)
            self._come_back(payment, name)
        else:
            self._book(refund["e2e_id"], "RETURNED_BY_US", centavos, original=transfer["e2e_id"])

    def register(self, account_name: str, name: str, kind: str, value: str | None, *, code: bool = False) -> None:
        """A key of the account, which the directory is asked for, or whose code is awaited first."""
        account = self._rows[account_name]
        self._tick()
        self._add(
            "pix_keys",
            name,
            account_id=account["id"],
            tenant_id=account["tenant_id"],
            provider_id=account["provider_id"],
            key_type=kind,
            key_value=value,
            holder_name=account["holder_name"],
            stage="AWAITING_CODE" if code else "REGISTERING",
            registration_id=id_of(f"registration of {name}"),
            code_expires_at=self._now + timedelta(days=1) if code else None,
            tries=0,
            version=1,
            updated_at=self._now,
            _account=account_name,
        )
        key = self._rows[name]
        self._promise("pix.key.prove" if code else "pix.key.register", account["id"], key["id"])
        if not code and value is not None:
            self._hold(key)
        self._answered(key, "POST /baas/api/v1/pix/keys", "pix-keys", name)

    def step_key(self, name: str, stage: str, news: str | None, **facts: Any) -> None:
        """A key goes on to another stage."""
        key = self._rows[name]
        self._tick()
        self._keep(key["id"])
        key |= {"stage": stage, "version": key["version"] + 1, "updated_at": self._now, **facts}
        if stage == "ACTIVE":
            key["activated_at"] = self._now
            self._enter(key)
        if stage == "REMOVING":
            self._promise(
                "pix.key.remove" if key.get("removal_id") else "pix.key.register", key["account_id"], key["id"]
            )
        if stage == "INACTIVE":
            self.bank["key_holders"] = [row for row in self.bank["key_holders"] if row["key_id"] != key["id"]]
            self.directory["entry"] = [
                row for row in self.directory["entry"] if row["request_id"] != key["registration_id"]
            ]
        if news:
            self._tell(key, key["account_id"], news)

    def draw(self, account_name: str, name: str, key_name: str, centavos: int | None, *, charge: bool) -> None:
        """A code of the account, under its key."""
        account, key = self._rows[account_name], self._rows[key_name]
        self._tick()
        value = str(key["key_value"])
        txid = id_of(name).hex if charge else id_of(name).hex[:25]
        token = id_of(f"address of {name}").hex
        where = f"/qr/v2/{token}" if charge else f"01{len(value):02}{value}"
        reais = "" if centavos is None or charge else f"{centavos // 100}.{centavos % 100:02}"
        amount = f"54{len(reais):02}{reais}" if reais else ""
        reference = "***" if charge else txid
        tail = f"62{len(reference) + 4:02}05{len(reference):02}{reference}6304ABCD"
        self._add(
            "pix_qrcodes",
            name,
            account_id=account["id"],
            tenant_id=account["tenant_id"],
            provider_id=account["provider_id"],
            type="DYNAMIC" if charge else "STATIC",
            amount_centavos=centavos,
            key_type=key["key_type"],
            key_value=value,
            txid=txid,
            text=f"000201{where}520400005303986{amount}5802BR5901N6001C{tail}",
            location_token=token if charge else None,
            expires_at=self._now + timedelta(days=1) if charge else None,
            version=1,
            updated_at=self._now,
        )
        if charge:
            self.bank["qrcode_locations"].append(
                {"token": token, "account_id": account["id"], "qrcode_id": id_of(name)}
            )
        self._answered(self._rows[name], "POST /baas/api/v1/pix/qrcode", "pix-qrcode", name)

    def settle_charge(self, name: str, transfer_name: str) -> None:
        """A charge is paid by a transfer."""
        code, transfer = self._rows[name], self._rows[transfer_name]
        code |= {"transfer_id": transfer["id"], "paid_at": self._now, "version": 2, "updated_at": self._now}
        self._tell(code, code["account_id"], "pix.qrcode.paid")

    def expire_charge(self, name: str) -> None:
        """Nobody paid a charge in time."""
        code = self._rows[name]
        self._tick()
        code |= {"expires_at": code["created_at"], "expired_at": self._now, "version": 2, "updated_at": self._now}
        self._tell(code, code["account_id"], "pix.qrcode.expired")

    def subscribe(self, name: str, tenant: str, *filters: str, status: str = "ACTIVE", **facts: Any) -> None:
        """An endpoint that is told from now on."""
        self._add(
            "webhook_subscriptions",
            name,
            tenant_id=id_of(tenant),
            name=name,
            endpoint_url="https://hooks.example.com",
            event_filters=list(filters),
            timeout_ms=30_000,
            retry_config={},
            status=status,
            failures=0,
            version=1,
            updated_at=self._now,
            **facts,
        )
        self._now += timedelta(minutes=1)

    def place(self, untold: int = 0) -> None:
        """Each event gets its place, but for the last ones."""
        self._all_is_told = not untold
        for event in self.bank["events"][: len(self.bank["events"]) - untold]:
            facts = {name: event[name] for name in ("tenant_id", "account_id", "type", "created_at")}
            self.bank["event_feed"].append({**facts, "event_id": event["id"]})

    def tell(self, subscription_name: str, status: str, *answers: int | str) -> None:
        """The subscription is owed each event that has a place and passes its filters, and this is what comes of it."""
        subscription = self._rows[subscription_name]
        for position, place in enumerate(self.bank["event_feed"], 1):
            asked_for = any(place["type"].startswith(each.removesuffix("*")) for each in subscription["event_filters"])
            if place["tenant_id"] == subscription["tenant_id"] and asked_for:
                self._deliver(subscription, place, position, status, answers)
        if status == "DEAD":
            about = {"account_id": place["account_id"], "reference": subscription["id"], "created_at": self._now}
            self.bank["alerts"].append({"kind": "webhook_deliveries_dead", "detail": "500", **about})

    def _deliver(
        self, subscription: Row, place: Row, position: int, status: str, answers: tuple[int | str, ...]
    ) -> None:
        called = f"{subscription['name']} told of {place['event_id']}"
        self._add(
            "webhook_deliveries",
            called,
            tenant_id=place["tenant_id"],
            subscription_id=subscription["id"],
            event_id=place["event_id"],
            account_id=place["account_id"],
            event_type=place["type"],
            position=position,
            status=status,
            attempts=len(answers),
            attempts_before=0,
            due_at=self._now,
            delivered_at=self._now if status == "DELIVERED" else None,
        )
        for number, answer in enumerate(answers, 1):
            came = {"response_status": answer, "error": None} if isinstance(answer, int) else {"error": answer}
            attempt = {"number": number, "started_at": self._now, "duration_ms": 1, "body_sha256": _EMPTY_SHA256}
            self.bank["webhook_attempts"].append({"delivery_id": id_of(called), **attempt, **came})

    def make(self, name: str, value: str) -> None:
        """The directory makes an EVP."""
        self._rows[name]["key_value"] = value
        self._hold(self._rows[name])

    def _hold(self, key: Row) -> None:
        holder = {"key_value": key["key_value"], "account_id": key["account_id"], "key_id": key["id"]}
        self.bank["key_holders"].append(holder)

    def _enter(self, key: Row) -> None:
        (account,) = (row for row in self.directory["account"] if row["request_id"] == key["account_id"])
        place = {name: account[name] for name in ("ispb", "branch", "number", "type", "opened_at")}
        owner = {"owner_name": account["holder_name"], "owner_tax_id": account["holder_tax_id"]}
        entry = {"request_id": key["registration_id"], "key": key["key_value"], "key_type": key["key_type"]}
        self.directory["entry"].append({**entry, **place, **owner, "created_at": self._now})

    async def write(self, connection: Connection) -> None:
        """Into an empty, migrated database."""
        self.bank["balances"] = list(self._balances.values())
        first = ("tenants", "providers", "webhook_subscriptions", "webhook_deliveries")  # others refer to them
        for table in (*first, *sorted(self.bank.keys() - set(first))):
            if self.bank[table]:
                await insert(connection, table, self.bank[table])
        if self._all_is_told:
            await connection.execute("DELETE FROM untold_events")

    async def write_network(self, connection: Connection) -> None:
        """Into the simulator's database, whose tables exist."""
        for table, rows in {"payment": self.network, **self.directory}.items():
            await insert(connection, table, rows)

    def _tick(self) -> None:
        self._now += timedelta(seconds=1)

    def _end_to_end_id(self, letter: str, ispb: str) -> str:
        self._tick()
        self._made += 1
        return f"{letter}{ispb}{self._now:%Y%m%d%H%M}{self._made:011}"

    def _add(self, table: str, called: str, /, **facts: Any) -> None:
        row = {"id": id_of(called), "created_at": self._now, **facts}
        self._rows[called] = row
        self.bank[table].append(row)

    def _move(self, account_name: str, reason: str, centavos: int, reference: str) -> None:
        balance = self._balances[account_name]
        source, target = _POTS[reason]
        for pot, change in ((source, -centavos), (target, centavos)):
            if pot not in {"SPI", "BOOK"}:
                balance[f"{pot.lower()}_centavos"] += change
        balance |= {"seq": balance["seq"] + 1, "moved_at": self._now}
        self.bank["movements"].append(
            {
                "account_id": balance["account_id"],
                "seq": balance["seq"],
                "source": source,
                "target": target,
                "amount_centavos": centavos,
                "reason": reason,
                "reference": id_of(reference),
                "available_after_centavos": balance["available_centavos"],
                "in_transit_after_centavos": balance["in_transit_centavos"],
                "posted_at": self._now,
            }
        )

    def _come_back(self, payment: Row, name: str) -> None:
        """Each return is news under its own id, in the payment's version."""
        self._tell({**payment, "id": id_of(name)}, payment["account_id"], "pix.refund.received")

    def _tell(self, resource: Row, account_id: UUID, kind: str) -> None:
        self.bank["events"].append(
            {
                "account_id": account_id,
                "id": id_of(f"{kind} {resource['id']} {resource['version']}"),
                "tenant_id": resource["tenant_id"],
                "type": kind,
                "resource_id": resource["id"],
                "resource_version": resource["version"],
                "body": "\\x7b7d",
                "created_at": self._now,
            }
        )

    def _promise(self, topic: str, account_id: UUID, reference: UUID) -> None:
        promise = {"topic": topic, "account_id": account_id, "reference": reference, "attempts": 0}
        self.bank["outbox"].append({**promise, "due_at": self._now, "created_at": self._now})

    def _keep(self, reference: UUID) -> None:
        self.bank["outbox"] = [row for row in self.bank["outbox"] if row["reference"] != reference]

    def _answered(self, resource: Row, operation: str, kind: str, key: str) -> None:
        body = {
            "data": {"type": kind, "id": str(resource["id"]), "links": {"self": "/"}, "attributes": {"name": "João"}}
        }
        self.bank["idempotency"].append(
            {
                "tenant_id": resource["tenant_id"],
                "operation": operation,
                "key": key,
                "fingerprint": "\\x00",
                "status": 201,
                "body": f"\\x{json.dumps(body, ensure_ascii=False).encode().hex()}",
                "created_at": self._now,
            }
        )

    def _hear(
        self,
        end_to_end_id: str,
        kind: str,
        account: Row | None,
        reference: str | None,
        centavos: int,
        *,
        rejected_with: str | None = None,
    ) -> None:
        self.bank["inbox"].append(
            {
                "end_to_end_id": end_to_end_id,
                "kind": kind,
                "provider_id": account["provider_id"] if account else id_of("one's bank"),
                "account_id": account["id"] if account else None,
                "reference": id_of(reference) if reference else None,
                "amount_centavos": centavos,
                "rejected_with": rejected_with,
                "created_at": self._now,
            }
        )

    def _book(
        self, end_to_end_id: str, kind: str, centavos: int, *, status: str = "ACSC", original: str | None = None
    ) -> None:
        self.network.append(
            {
                "end_to_end_id": end_to_end_id,
                "kind": kind,
                "status": status,
                "amount": centavos,
                "original_end_to_end_id": original,
                "created_at": self._now,
                "copies": 0,
                "contradict": False,
            }
        )


async def insert(connection: Connection, table: str, rows: list[Row]) -> None:
    """Write rows, with nulls for what they do not say; names with an underscore are the test's own."""
    columns = ", ".join(sorted({name for row in rows for name in row if not name.startswith("_")}))
    rows_of = f"jsonb_populate_recordset(NULL::{table}, $1::text::jsonb)"
    await connection.execute(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows_of}", json.dumps(rows, default=str)
    )


def clean_world(*, at_rest: bool) -> CleanWorld:
    """Two tenants and every kind of row. At rest, nothing is under way any more."""
    world = CleanWorld()
    for tenant in ISPB:
        world.tenant(tenant)
    world.subscribe("shop", "one", "pix.*", "account.*")
    world.subscribe("dead", "one", "pix.payment.*")
    world.subscribe("gone", "one", "*", status="DISABLED")
    world.subscribe("paused", "two", "*", status="PAUSED")
    world.subscribe("deaf", "two", "nothing.*")
    for account, tenant in (("payer", "one"), ("blocked", "one"), ("closed", "one"), ("foreign", "two")):
        world.open(account, tenant)
        world.receive(account, f"first of {account}", 100_00)
    world.step("blocked", "BLOCKED", "account.blocked")
    world.step("payer", "BLOCKED", "account.blocked")
    world.step("payer", "ACTIVE", "account.unblocked")
    world.let_in("payer", "program")
    for payment, outcome in (("paid", "COMPLETED"), ("partly returned", "COMPLETED"), ("rejected", "FAILED")):
        world.pay("payer", payment, 10_00)
        world.conclude(payment, outcome)
    world.take_back("partly returned", "first part", 1_00)
    world.take_back("partly returned", "second part", 2_00)
    world.pay("payer", "never sent", 999_00, held=False)
    world.conclude("never sent", "FAILED")
    world.pay("foreign", "returned", 30_00)
    world.conclude("returned", "COMPLETED")
    world.take_back("returned", "all of it", 30_00)
    world.pay_inside("foreign", "payer", "next door", 20_00)
    world.open("savings")
    world.transfer("payer", "savings", "between our own", 6_00)
    world.refund("next door, received", "back next door", 5_00)
    world.conclude_refund("back next door", "COMPLETED")
    world.refund("first of payer", "given back", 3_00)
    world.conclude_refund("given back", "COMPLETED")
    world.refund("first of payer", "not taken", 4_00)
    world.conclude_refund("not taken", "FAILED")
    world.pay("closed", "last", 100_00)
    world.conclude("last", "COMPLETED")
    world.register("closed", "left", "EVP", None)
    world.make("left", "123e4567-e12b-12d1-a456-426655440000")
    world.step_key("left", "ACTIVE", "pix.key.registered")
    world.step_key("left", "REMOVING", "pix.key.removed", removal_id=id_of("removal"))
    world.step_key("left", "INACTIVE", None)
    world.step("closed", "CLOSED", "account.closed")
    world.register("payer", "document", "CPF", world.document_of("payer"))
    world.step_key("document", "ACTIVE", "pix.key.registered")
    world.register("foreign", "mail", "EMAIL", "someone@example.com", code=True)
    world.step_key("mail", "INACTIVE", None)
    world.register("payer", "refused", "EVP", None)
    world.step_key("refused", "INACTIVE", "pix.key.refused", failure_reason="EntryLimitExceeded")
    world.draw("payer", "printed", "document", 5_50, charge=False)
    world.draw("payer", "open", "document", None, charge=False)
    world.draw("payer", "unpaid", "document", 7_00, charge=True)
    world.draw("payer", "charged", "document", 8_00, charge=True)
    world.draw("payer", "expired", "document", 9_00, charge=True)
    world.expire_charge("expired")
    world.receive("payer", "for the charge", 8_00, txid=id_of("charged").hex)
    world.settle_charge("charged", "for the charge")
    world.receive("payer", "for the print", 5_50, txid=id_of("printed").hex[:25])
    world.refuse(5_00)
    world.look_up("payer")
    world.look_up("payer", "blocked")
    for level, holder, tokens in (
        ("PAYER", "39053344705", 80),
        ("PAYER", "11222333000181", 0),
        ("TENANT", str(id_of("one")), 4_000),
        ("PLATFORM", ISPB["one"], 40_000),
    ):
        world.spend(level, holder, tokens)
    world.apply("newcomer")
    world.apply("withdrawn")
    world.step("withdrawn", "CLOSED", "account.closed")
    world.apply("turned down")
    world.send("turned down")
    world.decide("turned down", "REJECTED")
    world.send("turned down")
    world.decide("turned down", "REQUIRES_UPDATE")
    if not at_rest:
        world.apply("applicant")
        world.send("applicant")
        world.decide("applicant", "APPROVED")
        world.apply("sender")
        world.send("sender")
        world.pay("payer", "under way", 20_00)
        world.pay("payer", "pending", 21_00, held=False)
        world.refund("first of payer", "going back", 2_00)
        world.register("payer", "registering", "PHONE", "+5511987654321")
        world.register("payer", "never made", "EVP", None)
        world.step_key("never made", "REMOVING", None)
        world.register("payer", "removing", "EVP", None)
        world.make("removing", "123e4567-e12b-12d1-a456-426655440001")
        world.step_key("removing", "ACTIVE", "pix.key.registered")
        world.step_key("removing", "REMOVING", "pix.key.removed", removal_id=id_of("another removal"))
        world.register("payer", "awaiting", "EMAIL", "someone@example.com", code=True)
    world.place(untold=0 if at_rest else 3)
    world.tell("shop", "DELIVERED", 500, "TIMEOUT", 204)
    world.tell("dead", "DEAD", 500)
    world.tell("gone", "CANCELED")
    world.tell("paused", "PENDING")
    return world
