"""OpenPix's public API as its specification of August 2026 describes it, re-typed as JSON Schemas: what we use."""

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_CENTAVOS: Schema = {"type": "integer", "minimum": 1}
_TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
_KEY_TYPES = ["CPF", "CNPJ", "EMAIL", "PHONE", "EVP"]


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None, *, strict: bool = True) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": not strict,
    }


_TAX_ID = _object({"taxID": {"type": "string"}, "type": {"enum": ["BR:CPF", "BR:CNPJ"]}})
_PAYMENT = _object(
    {
        "type": {"enum": ["PIX_KEY"]},
        "value": _CENTAVOS,
        "destinationAlias": _TEXT,
        "destinationAliasType": {"enum": ["CPF", "CNPJ", "EMAIL", "PHONE", "RANDOM"]},
        "correlationID": _TEXT,
        # The specification names four; its own examples and guides also answer APPROVED.
        "status": {"enum": ["CREATED", "APPROVED", "FAILED", "CONFIRMED", "DENIED"]},
    },
    {"comment": {"type": "string"}, "sourceAccountId": _TEXT},
)
_TRANSACTION = _object(
    {"value": _CENTAVOS, "endToEndId": _TEXT, "time": _TIME}, {"providerRejectedReason": {"type": "string"}}
)
_REFUND = _object(
    {
        "value": _CENTAVOS,
        "status": {"enum": ["IN_PROCESSING", "REFUNDED", "NOT_ACCOMPLISHED"]},
        "correlationID": _TEXT,
        "refundId": _TEXT,
        "time": _TIME,
    },
    {"comment": {"type": "string"}, "returnIdentification": _TEXT},
)
_CHARGE = _object(
    {
        "value": _CENTAVOS,
        "status": {"enum": ["ACTIVE", "COMPLETED", "EXPIRED"]},
        "type": {"enum": ["DYNAMIC"]},
        "correlationID": _TEXT,
        "transactionID": _TEXT,
        "brCode": _TEXT,
        "pixKey": _TEXT,
        "expiresDate": _TIME,
        "createdAt": _TIME,
        "paymentMethods": _object(
            {"pix": _object({"method": {"enum": ["PIX_COB"]}, "txId": _TEXT, "value": _CENTAVOS, "brCode": _TEXT})}
        ),
    },
    {"comment": {"type": "string"}},
)
_STATIC = _object(
    {"name": _TEXT, "correlationID": _TEXT, "identifier": _TEXT, "brCode": _TEXT, "createdAt": _TIME},
    {"value": _CENTAVOS, "comment": {"type": "string"}},
)
_BALANCE = _object({name: {"type": "integer"} for name in ("total", "blocked", "available")})

REQUESTS: dict[str, Schema] = {
    "POST /pix-keys/check": _object({"pixKey": _TEXT}),
    "POST /payment": _object(
        {
            "type": {"enum": ["PIX_KEY"]},
            "value": _CENTAVOS,
            "destinationAlias": _TEXT,
            "destinationAliasType": {"enum": ["CPF", "CNPJ", "EMAIL", "PHONE", "RANDOM"]},
            "correlationID": _TEXT,
        },
        {"pixKeyEndToEndId": _TEXT, "comment": {"type": "string"}, "metadata": {"type": "object", "maxProperties": 30}},
    ),
    "POST /payment/approve": _object({"correlationID": _TEXT}),
    "POST /refund": _object(
        {"transactionEndToEndId": _TEXT, "correlationID": _TEXT, "value": _CENTAVOS},
        {"comment": {"type": "string", "maxLength": 140}},
    ),
    "POST /charge": _object(
        {"correlationID": _TEXT, "value": _CENTAVOS},
        {
            "type": {"enum": ["DYNAMIC", "OVERDUE", "BOLETO"]},
            "comment": {"type": "string"},
            "expiresIn": {"type": "integer", "minimum": 300},
        },
    ),
    "POST /qrcode-static": _object(
        {"name": _TEXT}, {"correlationID": _TEXT, "value": _CENTAVOS, "comment": {"type": "string"}}
    ),
}

ANSWERS: dict[str, Schema] = {
    "POST /pix-keys/check": _object(
        {
            "pixKey": _TEXT,
            "type": {"enum": [*_KEY_TYPES, "RANDOM"]},
            "pixKeyEndToEndId": _TEXT,
            "owner": _object({name: {"type": "string"} for name in ("name", "taxID", "psp", "branch", "account")}),
        }
    ),
    "GET /pix-keys/tokens": _object(
        {
            "tokens": {"type": "integer"},
            "maxTokens": {"type": "integer"},
            "refreshRate": {"type": "integer"},
            "tokensAfterRefresh": {"type": "integer"},
            "nextRefresh": _TIME,
        }
    ),
    "POST /payment": _object({"payment": _PAYMENT}),
    "POST /payment/approve": _object({"payment": _PAYMENT, "transaction": _TRANSACTION}),
    "GET /payment": _object({"payment": _PAYMENT}, {"transaction": _TRANSACTION}),
    "POST /refund": _object({"refund": _REFUND}),
    "GET /refund": _object({"pixTransactionRefund": _REFUND}),
    "POST /charge": _object({"charge": _CHARGE, "correlationID": _TEXT, "brCode": _TEXT}),
    "POST /qrcode-static": _object({"pixQrCode": _STATIC, "correlationID": _TEXT, "brCode": _TEXT}),
    "GET /qrcode-static": _object({"pixQrCode": _STATIC}),
    "GET /account/": _object(
        {
            "accounts": {
                "type": "array",
                "items": _object({"accountId": _TEXT, "isDefault": {"type": "boolean"}, "balance": _BALANCE}),
            },
            "pageInfo": {"type": "object"},
        }
    ),
    "GET /account": _object(
        {
            "account": _object(
                {
                    "accountId": _TEXT,
                    "isDefault": {"type": "boolean"},
                    "balance": _BALANCE,
                    "taxId": _TEXT,
                    "officialName": _TEXT,
                    "branch": _TEXT,
                    "account": _TEXT,
                }
            )
        }
    ),
}

ERROR = _object({"error": _TEXT}, {"errorCode": _TEXT})

_SIDE = _object(
    {
        "account": _object({"branch": _TEXT, "account": _TEXT, "accountType": _TEXT}),
        "psp": _object({"id": _TEXT, "name": _TEXT}),
        "holder": _object({"taxID": _TAX_ID}, {"name": _TEXT}),
    },
    {"pixKey": _object({"pixKey": _TEXT, "type": _TEXT})},
)
EVENTS: dict[str, Schema] = {
    "OPENPIX:TRANSACTION_RECEIVED": _object(
        {
            "event": _TEXT,
            "pix": _object(
                {
                    "debitParty": _SIDE,
                    "creditParty": _SIDE,
                    "value": _CENTAVOS,
                    "time": _TIME,
                    "endToEndId": _TEXT,
                    "status": {"enum": ["CONFIRMED"]},
                    "type": {"enum": ["DYNAMIC", "STATIC", "PAYMENT"]},
                    "fee": {"type": "integer"},
                    "globalID": _TEXT,
                },
                {"transactionID": _TEXT, "infoPagador": {"type": "string"}},
            ),
            "charge": {"type": ["object", "null"]},
            "pixQrCode": {"type": ["object", "null"]},
            "company": {"type": "object"},
            "account": {"type": "object"},
            "refunds": {"type": "array"},
        }
    ),
    "OPENPIX:MOVEMENT_CONFIRMED": _object(
        {
            "event": _TEXT,
            "payment": _object(
                {"value": _CENTAVOS, "status": _TEXT, "correlationID": _TEXT, "destinationAlias": _TEXT}
            ),
            "transaction": _TRANSACTION,
        }
    ),
    "OPENPIX:MOVEMENT_FAILED": _object(
        {
            "event": _TEXT,
            "payment": _object(
                {"value": _CENTAVOS, "status": _TEXT, "correlationID": _TEXT, "destinationAlias": _TEXT}
            ),
            "transaction": _TRANSACTION,
            "error": _object({"code": _TEXT, "description": {"type": "string"}}),
        }
    ),
    "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED": _object(
        {
            "event": _TEXT,
            "refundTransaction": _object(
                {"value": _CENTAVOS, "time": _TIME, "endToEndId": _TEXT, "status": _TEXT, "type": {"enum": ["REFUND"]}}
            ),
            "originalTransaction": _object({"value": _CENTAVOS, "time": _TIME, "endToEndId": _TEXT}),
            "company": {"type": "object"},
            "account": {"type": "object"},
        }
    ),
}
EVENTS["PIX_TRANSACTION_REFUND_SENT_CONFIRMED"] = EVENTS["PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED"]
