"""What webhooks brought to each shop, in memory: the newest hundred of the hundred that heard something last."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

_MOST_SHOPS, _MOST_HOOKS = 100, 100


@dataclass(slots=True)
class Shops:
    """By the name of the shop."""

    _by_name: "OrderedDict[str, deque[dict[str, Any]]]" = field(default_factory=OrderedDict)

    def hear(self, name: str, hook: dict[str, Any]) -> None:
        """Keep it."""
        self._by_name.setdefault(name, deque(maxlen=_MOST_HOOKS)).appendleft(hook)
        self._by_name.move_to_end(name)
        if len(self._by_name) > _MOST_SHOPS:
            self._by_name.popitem(last=False)

    def heard(self, name: str) -> list[dict[str, Any]]:
        """What came to this one, newest first."""
        return list(self._by_name.get(name, ()))
