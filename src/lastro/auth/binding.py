"""What a token or a client is bound to beside its permissions, and whether one lies within another."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from lastro.auth.permissions import EVERYTHING
from lastro.values.money import Money
from lastro.values.network import Network, lie_within


@dataclass(frozen=True, slots=True)
class Binding:
    """Accounts, networks of the internet and amounts; None leaves open."""

    accounts: frozenset[UUID] | None = None
    networks: tuple[Network, ...] | None = None
    most_each: Money | None = None
    most_a_day: Money | None = None


UNBOUND = Binding()


@dataclass(frozen=True, slots=True)
class Rights:
    """All that somebody may do: with permissions, within a binding."""

    permissions: frozenset[str]
    binding: Binding

    def beyond(self, own: "Rights") -> Sequence[str]:
        """In what these go beyond the giver's `own`, by the names of the API: nobody gives more than he has.

        A sum of the day can not be given on, whatever the amount: it is kept for one spender, and everything that is
        made is another.
        """
        excess = {
            "permissions": EVERYTHING not in own.permissions and not self.permissions <= own.permissions,
            "accountIds": own.binding.accounts is not None
            and (self.binding.accounts is None or not self.binding.accounts <= own.binding.accounts),
            "networks": own.binding.networks is not None
            and (self.binding.networks is None or not lie_within(self.binding.networks, own.binding.networks)),
            "maxAmountPerPayment": own.binding.most_each is not None
            and (self.binding.most_each is None or self.binding.most_each > own.binding.most_each),
            "maxAmountPerDay": own.binding.most_a_day is not None,
        }
        return [name for name, is_so in excess.items() if is_so]
