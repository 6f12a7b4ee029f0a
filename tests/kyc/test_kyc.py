from build import Tenant


async def test_smoke(tenant: Tenant) -> None:
    account = await tenant.account()

    assert (await account.kyc())["status"] == "APPROVED"
