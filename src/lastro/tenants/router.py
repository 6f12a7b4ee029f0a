"""/tenant: the company behind the token."""

from typing import Annotated

from lastro.asking import TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import Flaw, Validation
from lastro.http import api_router
from lastro.tenants import resources, service
from lastro.tenants.resources import TenantChange, TenantDocument
from lastro.values.text import Text

router = api_router("/tenant", "Empresa")

Reader = Annotated[Caller, requires(Permission.TENANT_READ)]
Updater = Annotated[Caller, requires(Permission.TENANT_UPDATE)]

_OTHER_ID = Text("Deve ser o id da própria empresa.", "Must be the id of the company itself.")


@router.get("")
async def get(caller: Reader, bank: TheBank) -> TenantDocument:
    """Obter a própria empresa."""
    async with bank.db.reading() as tx:
        return resources.document(await service.get(tx, caller))


@router.patch("")
async def change(body: TenantChange, caller: Updater, bank: TheBank) -> TenantDocument:
    """Definir a conta principal."""
    caller.demand_the_whole_tenant()
    if body.data.id not in {None, caller.tenant_id}:
        raise Validation(_OTHER_ID, flaws=[Flaw(_OTHER_ID, pointer="/data/id")])
    async with bank.db.transaction() as tx:
        account_id = body.data.attributes.main_account_id
        return resources.document(await service.change_main_account(tx, caller, account_id))
