"""Imports every module that defines a table, so that `Base.metadata` is whole."""

from lastro import idempotency
from lastro.accounts import models as accounts
from lastro.auth import models as auth
from lastro.auth import spending
from lastro.database import Base
from lastro.kyc import models as kyc
from lastro.ledger import book
from lastro.outbox import models as outbox
from lastro.pix import inbox
from lastro.pix.keys import models as keys
from lastro.pix.lookups import models as lookups
from lastro.pix.payments import models as payments
from lastro.pix.qrcodes import models as qrcodes
from lastro.pix.refunds import models as refunds
from lastro.pix.transfers import models as transfers
from lastro.providers import models as providers
from lastro.tally import models as tally
from lastro.tenants import models as tenants
from lastro.transfers import models as internal_transfers
from lastro.webhooks import models as webhooks

MODULES = (
    idempotency,
    accounts,
    auth,
    spending,
    kyc,
    book,
    outbox,
    inbox,
    keys,
    lookups,
    qrcodes,
    payments,
    transfers,
    refunds,
    providers,
    tally,
    tenants,
    internal_transfers,
    webhooks,
)

metadata = Base.metadata
