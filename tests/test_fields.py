"""Whatever stands in a field where it does not belong is refused in words that say what does belong there."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from build import API, Tenant, World
from lastro.app import ROUTERS
from lastro.http import ApiRoute

STRANGE = [None, True, 1, -1, 1.5, 10**30, "", "á\0b", "x" * 20_000, [], [1], ["x"] * 1_000, {}, {"a": 1}]
VAGUE = ("Valor inválido.", "Invalid value.")
WRITING = [
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, ApiRoute) and route.body_field is not None
    for method in sorted(route.methods or ())
]


def resolved(description: Any, schema: Any) -> Any:
    """The schema itself, where there is a reference to it, or one beside null."""
    if "$ref" in schema:
        return resolved(description, description["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    others = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return resolved(description, others[0]) if len(others) == 1 else schema


def fields(description: Any, schema: Any) -> Iterator[tuple[str, ...]]:
    """The way to each field of an object, and to those of the objects in it."""
    for name, field in resolved(description, schema).get("properties", {}).items():
        yield (name,)
        for deeper in fields(description, field):
            yield name, *deeper


@pytest.fixture(scope="module")
async def description(world: World) -> Any:
    return (await world.http.get("/openapi.json")).json()


@pytest.mark.parametrize(("method", "path"), WRITING, ids=[" ".join(each) for each in WRITING])
async def test_a_field_that_is_refused_is_told_what_it_must_be(
    description: Any, tenant: Tenant, method: str, path: str
) -> None:
    body = description["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    data = resolved(description, resolved(description, body)["properties"]["data"])["properties"]
    while "{" in path:
        before, _, after = path.partition("{")
        path = f"{before}{uuid4()}{after.partition('}')[2]}"
    for way in fields(description, data.get("attributes", {})):
        for strange in STRANGE:
            attributes: Any = strange
            for name in reversed(way):
                attributes = {name: attributes}
            content = json.dumps({"data": {"type": data["type"]["const"], "attributes": attributes}}).encode()
            answered = await tenant.call(method, path.removeprefix(API), content=content)
            assert answered.status < 500, (way, strange)
            errors = answered.body.get("errors", []) if isinstance(answered.body, dict) else []
            assert not [each for each in errors if each["detail"] in VAGUE], (way, strange)
