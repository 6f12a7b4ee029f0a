"""Keys through the front door."""

from build import Tenant


async def test_first(tenant: Tenant) -> None:
    account = await tenant.account()
    made = await tenant.post("/pix/keys", "pix-keys", {"accountId": account.id, "keyType": "EVP"})
    assert made.status == 201, made.body
    assert made.attributes["status"] == "ACTIVE", made.body
    got = await tenant.get(f"/pix/keys/{made.id}")
    assert got.body == made.body
    assert (await tenant.get("/pix/keys")).data == [got.data]
    gone = await tenant.call("DELETE", f"/pix/keys/{made.id}")
    assert gone.status == 204
    assert (await tenant.get("/pix/keys")).data == []
    again = await tenant.call("DELETE", f"/pix/keys/{made.id}")
    assert again.status == 404
    doc = (await account.attributes())["holderDocument"]
    made = await tenant.post("/pix/keys", "pix-keys", {"accountId": account.id, "keyType": "CNPJ", "keyValue": doc})
    assert made.attributes["status"] == "ACTIVE", made.body
    made = await tenant.post(
        "/pix/keys", "pix-keys", {"accountId": account.id, "keyType": "EMAIL", "keyValue": f"{account.id}@a.b"}
    )
    assert made.attributes["status"] == "PENDING", made.body
    mail = await tenant.world.simulate("GET", f"/mailbox?to={account.id}@a.b")
    code = mail["messages"][0]["code"]
    done = await tenant.post(f"/pix/keys/{made.id}/confirm", "pix-keys", {"code": code})
    assert done.status == 200, done.body
    assert done.attributes["status"] == "ACTIVE", done.body
