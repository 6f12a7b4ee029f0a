"""Lists: what may be asked, and links and meta that lead a client through every page exactly once."""

from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from pydantic import Field, ValidationError

from build import Tenant
from lastro.jsonapi.document import Collection, Resource, Schema
from lastro.jsonapi.query import LARGEST_PAGE, ListQuery, collection
from lastro.paging import DEEPEST_ROW, PageRequest


class Thing(Schema):
    """A thing."""

    name: str


class ThingQuery(ListQuery):
    """How things can be listed."""

    name: str | None = Field(default=None, alias="filter[name]")


Kind = Literal["things"]
Things = Collection[Kind, Thing]


class Found:
    """Rows numbered from `first`, of `total` in all."""

    def __init__(self, query: ListQuery, total: int) -> None:
        self.total = total
        begin = 0 if query.after is None else query.after.int
        begin += (query.number - 1) * query.size if query.after is None else 0
        self.rows = list(range(begin + 1, min(begin + query.size, total) + 1))
        self.has_next = begin + query.size < total


def listed(total: int, **asked: Any) -> Things:
    """One page out of so many things."""
    query = ThingQuery.model_validate(asked)
    return collection(
        Found(query, total),
        query,
        "/things",
        lambda row: Resource[Kind, Thing](type="things", id=UUID(int=row), attributes=Thing(name=str(row))),
    )


def asked_by(link: str | None) -> dict[str, str]:
    """The parameters of a link."""
    assert link is not None
    assert urlsplit(link).path == "/baas/api/v1/things"
    return {name: value for name, (value,) in parse_qs(urlsplit(link).query).items()}


def test_without_words_it_is_the_first_page_of_twenty() -> None:
    assert ListQuery().page() == PageRequest(1, 20, None)


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ({"page[number]": "3", "page[size]": "50"}, PageRequest(3, 50, None)),
        ({"page[size]": str(LARGEST_PAGE)}, PageRequest(1, LARGEST_PAGE, None)),
        ({"page[after]": str(UUID(int=7))}, PageRequest(1, 20, UUID(int=7))),
    ],
)
def test_a_page_can_be_asked_for(asked: dict[str, str], page: PageRequest) -> None:
    assert ListQuery.model_validate(asked).page() == page


@pytest.mark.parametrize(
    "asked",
    [
        {"page[size]": "0"},
        {"page[size]": "-1"},
        {"page[size]": str(LARGEST_PAGE + 1)},
        {"page[size]": "1000000000"},
        {"page[size]": "1;--"},
        {"page[size]": ""},
        {"page[size]": "1_0"},
        {"page[size]": "10.0"},
        {"page[size]": " 10"},
        {"page[size]": "+10"},
        {"page[size]": "1e1"},
        {"page[size]": "0x10"},
        {"page[size]": "１０"},
        {"page[size]": "٣"},
        {"page[number]": "0"},
        {"page[number]": str(2**31 + 1)},
        {"page[number]": "9" * 5000},
        {"page[after]": "1"},
        {"page[after]": ""},
        {"page[before]": str(UUID(int=7))},
        {"page": "1"},
        {"number": "1"},
        {"size": "1"},
        {"sort": "-createdAt"},
        {"include": "tenant"},
        {"fields[things]": "name"},
        {"filter[name][]": "x"},
        {"filter": "x"},
        {"filter[tenantId]": str(UUID(int=7))},
        {"name": "x"},
    ],
)
def test_anything_else_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ThingQuery.model_validate(asked)


def test_meta_and_links_of_a_page_in_the_middle() -> None:
    page = listed(45, **{"page[number]": "2", "page[size]": "20", "filter[name]": "a b"})

    assert page.meta.model_dump() == {
        "total_items": 45,
        "total_pages": 3,
        "current_page": 2,
        "items_per_page": 20,
        "has_next_page": True,
        "has_previous_page": True,
    }
    numbers = {name: asked_by(getattr(page.links, name)) for name in ("self", "first", "prev", "next", "last")}
    assert {name: parameters["page[number]"] for name, parameters in numbers.items()} == {
        "self": "2",
        "first": "1",
        "prev": "1",
        "next": "3",
        "last": "3",
    }
    assert all(parameters["page[size]"] == "20" for parameters in numbers.values())
    assert all(parameters["filter[name]"] == "a b" for parameters in numbers.values())


@pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (20, 1)])
def test_a_list_of_one_page_leads_nowhere(total: int, pages: int) -> None:
    page = listed(total)

    assert page.meta.total_pages == pages
    assert (page.links.prev, page.links.next) == (None, None)
    assert page.links.self == page.links.first == page.links.last


def test_behind_the_end_a_page_is_empty_and_leads_back() -> None:
    page = listed(45, **{"page[number]": "9"})

    assert page.data == []
    assert page.links.next is None
    assert not page.meta.has_next_page
    assert asked_by(page.links.last)["page[number]"] == "3"


def test_the_cursors_of_a_list_lead_through_it_once() -> None:
    asked: dict[str, str] = {"page[size]": "20", "filter[name]": "x"}
    seen: list[str] = []
    page = listed(45, **asked)
    seen += [thing.attributes.name for thing in page.data]
    asked["page[after]"] = str(page.data[-1].id)
    while True:
        page = listed(45, **asked)
        seen += [thing.attributes.name for thing in page.data]
        assert page.meta.has_previous_page
        assert page.links.last is None
        assert asked_by(page.links.first) == {"page[number]": "1", "page[size]": "20", "filter[name]": "x"}
        if page.links.next is None:
            break
        asked = asked_by(page.links.next)

    assert seen == [str(number) for number in range(1, 46)]


def test_where_numbers_end_the_next_link_is_a_cursor() -> None:
    deepest = DEEPEST_ROW // LARGEST_PAGE + 1

    page = listed(10**6, **{"page[number]": str(deepest), "page[size]": str(LARGEST_PAGE)})

    assert asked_by(page.links.next) == {"page[after]": str(page.data[-1].id), "page[size]": str(LARGEST_PAGE)}
    assert page.links.last is None
    assert page.meta.has_next_page


async def test_every_link_of_a_real_list_can_be_followed(tenant: Tenant) -> None:
    made = [await tenant.account() for _ in range(5)]

    first = await tenant.get("/accounts?page[size]=2&filter[type]=CHECKING")
    second = await tenant.call("GET", first.body["links"]["next"].removeprefix("/baas/api/v1"))
    third = await tenant.call("GET", second.body["links"]["next"].removeprefix("/baas/api/v1"))
    again = await tenant.call("GET", third.body["links"]["prev"].removeprefix("/baas/api/v1"))
    last = await tenant.call("GET", third.body["links"]["last"].removeprefix("/baas/api/v1"))

    seen = [account["id"] for page in (first, second, third) for account in page.data]
    assert seen == [account.id for account in reversed(made)]
    assert third.body["links"]["next"] is None
    assert third.body["meta"]["totalItems"] == 5
    assert again.data == second.data
    assert last.data == third.data


async def test_a_real_list_is_walked_by_cursor_while_it_grows(tenant: Tenant) -> None:
    made = [await tenant.account() for _ in range(3)]
    first = await tenant.get("/accounts?page[size]=2")
    await tenant.account()

    second = await tenant.get(f"/accounts?page[size]=2&page[after]={first.data[-1]['id']}")

    assert [account["id"] for account in second.data] == [made[0].id]
    assert second.body["meta"]["hasNextPage"] is False
    assert second.body["meta"]["hasPreviousPage"] is True


async def test_a_cursor_of_another_tenant_is_as_unknown_as_a_random_one(tenant: Tenant, stranger: Tenant) -> None:
    await tenant.account()
    foreign = await stranger.account()

    theirs = await tenant.get(f"/accounts?page[after]={foreign.id}")
    random = await tenant.get("/accounts?page[after]=019a0000-0000-7000-8000-000000000000")

    assert theirs.status == random.status == 400
    assert theirs.pointers == random.pointers == ["page[after]"]
    assert theirs.body["message"] == random.body["message"]
