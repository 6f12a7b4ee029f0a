"""The envelopes: names of the wire, absent links, present nulls, nothing unknown."""

import json
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import jsonschema
import pytest
from pydantic import ValidationError

from lastro.jsonapi.document import (
    Body,
    Change,
    Collection,
    Document,
    ListLinks,
    Meta,
    Resource,
    Schema,
    SelfLink,
    link,
)

ID = UUID("550e8400-e29b-41d4-a716-446655440100")
# The official schema; `jsonschema` overlooks an empty pattern, so it gets one that matches as much.
SPECIFIED = (Path(__file__).parent / "jsonapi-1.0.schema.json").read_text("utf-8").replace('"": true', '"^": true')
JSON_API_SCHEMA = jsonschema.Draft202012Validator(json.loads(SPECIFIED))


class Thing(Schema):
    """A thing."""

    holder_name: str | None
    e2e_id: str | None = None


Kind = Literal["things"]


def dumped(document: Schema) -> Any:
    """The document as a client reads it."""
    return json.loads(document.model_dump_json(by_alias=True))


def test_a_document_prints_null_attributes_and_no_absent_members() -> None:
    document = Document[Kind, Thing](data=Resource[Kind, Thing](type="things", attributes=Thing(holder_name=None)))

    assert dumped(document) == {"data": {"type": "things", "attributes": {"holderName": None, "e2eId": None}}}


def test_a_document_with_an_id_and_links_is_what_json_api_specifies() -> None:
    self_link = SelfLink(self=link(f"/things/{ID}"))
    resource = Resource[Kind, Thing](type="things", id=ID, links=self_link, attributes=Thing(holder_name="x"))

    told = dumped(Document[Kind, Thing](data=resource, links=self_link))

    JSON_API_SCHEMA.validate(told)
    assert told["data"]["id"] == str(ID)
    assert told["links"] == told["data"]["links"] == {"self": f"/baas/api/v1/things/{ID}"}


def test_a_list_is_what_json_api_specifies() -> None:
    resource = Resource[Kind, Thing](type="things", id=ID, attributes=Thing(holder_name="x"))
    meta = Meta(
        total_items=1, total_pages=1, current_page=1, items_per_page=20, has_next_page=False, has_previous_page=False
    )
    links = ListLinks(self="/a", first="/b", prev=None, next=None, last=None)

    told = dumped(Collection[Kind, Thing](data=[resource], meta=meta, links=links))

    JSON_API_SCHEMA.validate(told)
    assert told["meta"] == {
        "totalItems": 1,
        "totalPages": 1,
        "currentPage": 1,
        "itemsPerPage": 20,
        "hasNextPage": False,
        "hasPreviousPage": False,
    }
    assert told["links"]["prev"] is None


@pytest.mark.parametrize(
    ("path", "parameters", "printed"),
    [
        ("/things", None, "/baas/api/v1/things"),
        ("/things", {"page[number]": 2}, "/baas/api/v1/things?page[number]=2"),
        ("/things", {"filter[e2eId]": "a&b=c#d é"}, "/baas/api/v1/things?filter[e2eId]=a%26b%3Dc%23d+%C3%A9"),
    ],
)
def test_links_keep_their_brackets_readable_and_their_values_harmless(
    path: str, parameters: dict[str, Any] | None, printed: str
) -> None:
    assert link(path, parameters) == printed


def sent(**changes: Any) -> dict[str, Any]:
    """A body that is right, with changes to its data."""
    return {"data": {"type": "things", "attributes": {"holderName": "x"}} | changes}


def test_a_body_is_its_type_and_its_attributes() -> None:
    assert Body[Kind, Thing].model_validate(sent()).data.attributes == Thing(holder_name="x")


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        "x",
        {"data": None},
        {"data": []},
        {"data": [{"type": "things", "attributes": {"holderName": "x"}}]},
        sent(type="accounts"),
        sent(type=None),
        sent(type=["things"]),
        sent(attributes=None),
        sent(attributes=[]),
        sent(attributes={}),
        sent(id=str(ID)),
        sent(links={}),
        sent(relationships={}),
        sent(tenantId=str(ID)),
        sent(attributes={"holderName": "x", "balance": 1}),
        sent(attributes={"holderName": "x", "__proto__": {}}),
        sent(attributes={"holderName": "x", "attributes": {"holderName": "y"}}),
        {**sent(), "meta": {}},
        {**sent(), "jsonapi": {"version": "1.0"}},
    ],
)
def test_a_body_with_anything_missing_unknown_or_misplaced_is_refused(body: Any) -> None:
    with pytest.raises(ValidationError):
        Body[Kind, Thing].model_validate(body)


def test_a_change_may_repeat_its_id() -> None:
    assert Change[Kind, Thing].model_validate(sent(id=str(ID))).data.id == ID
    assert Change[Kind, Thing].model_validate(sent()).data.id is None
    with pytest.raises(ValidationError):
        Change[Kind, Thing].model_validate(sent(id="1"))


def test_nothing_changes_a_document_after_it_was_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Thing(holder_name="x").holder_name = "y"  # type: ignore[misc]
