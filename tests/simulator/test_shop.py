"""A shop takes what webhooks bring and shows it to the letter."""

from uuid import uuid4

from simulator.world import World


async def test_a_shop_shows_the_newest_first_and_to_the_letter(world: World) -> None:
    name = f"loja-{uuid4().hex}"
    for number in (1, 2):
        answer = await world.steering.post(
            f"/hooks/{name}", content=f'{{"amount": 10.{number}0}}', headers={"webhook-id": str(number), "x-other": "1"}
        )
        assert (answer.status_code, answer.content) == (204, b"")

    received = (await world.steering.get(f"/hooks/{name}")).json()["received"]

    assert [each["body"] for each in received] == ['{"amount": 10.20}', '{"amount": 10.10}']
    assert [each["headers"]["webhook-id"] for each in received] == ["2", "1"]
    assert all("x-other" not in each["headers"] and each["receivedAt"] for each in received)


async def test_shops_do_not_hear_of_each_other_and_a_new_one_has_heard_nothing(world: World) -> None:
    await world.steering.post(f"/hooks/loja-{uuid4().hex}", content=b"\xff")

    assert (await world.steering.get(f"/hooks/loja-{uuid4().hex}")).json() == {"received": []}


async def test_a_shop_keeps_a_hundred_and_takes_nothing_huge(world: World) -> None:
    name = f"loja-{uuid4().hex}"
    for number in range(103):
        await world.steering.post(f"/hooks/{name}", content=str(number))
    huge = await world.steering.post(f"/hooks/{name}", content=b"x" * 300_000)

    received = (await world.steering.get(f"/hooks/{name}")).json()["received"]

    assert huge.status_code == 413
    assert [each["body"] for each in received] == [str(number) for number in range(102, 2, -1)]
