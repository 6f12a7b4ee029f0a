"""Places for what takes long: few, fewer for one tenant, and each given back once."""

from uuid import uuid4

import pytest

from lastro.errors import RateLimited
from lastro.places import Places
from lastro.values.text import Text


def test_one_tenant_does_not_take_all_places() -> None:
    full = Text("Cheio.", "Full.")
    places, tenants = Places(3, 2, full=full, retry_after=5), [uuid4(), uuid4()]
    taken = [places.take(tenants[0]), places.take(tenants[0]), places.take(tenants[1])]
    for each in tenants:
        with pytest.raises(RateLimited):
            places.take(each)
    taken[0].give_back()
    taken[0].give_back()
    assert places.take(tenants[1])
    with pytest.raises(RateLimited):
        places.take(uuid4())
