"""A Pix that arrives, as the network tells it: docs/network.md, `payment.received`."""

import json
from uuid import UUID

from bench.seed import ACCOUNT_TYPE, ISPB, PROVIDER, SENDER, account_number, document
from lastro.providers.network_wire import account_out

PATH = f"/network/{PROVIDER}/notifications"


def body(number: int) -> str:
    """One real to the account of that number, from a bank that is not ours; `{minute}` and `{key}` make its id."""
    branch, account = account_number(number)
    told = {
        "id": str(UUID(int=0)),
        "type": "payment.received",
        "payment": {
            "endToEndId": f"E{SENDER.account.ispb}" + "{minute}{key}",
            "amount": "1.00",
            "payer": {"name": SENDER.name, "taxId": SENDER.tax_id.value, "account": account_out(SENDER.account)},
            "payee": {
                "taxId": document(number),
                "account": {"ispb": ISPB, "branch": branch, "number": account.replace("-", ""), "type": ACCOUNT_TYPE},
                "key": None,
            },
            "txid": None,
            "remittanceInformation": None,
            "createdAt": "2026-01-02T12:00:00.000Z",
        },
    }
    return json.dumps(told, ensure_ascii=False)
