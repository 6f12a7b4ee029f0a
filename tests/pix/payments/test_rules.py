"""Which orders of a batch are carried out, by the facts alone."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as some

from lastro.accounts.states import AccountStatus
from lastro.errors import Conflict, InsufficientBalance, NotFound
from lastro.pix.payments.order import ReadyOrder
from lastro.pix.payments.rules import PayingAccount, decide
from lastro.values.money import Money
from pix.payments.orders import ready

TENANT, OTHER, ACCOUNT, PROVIDER = (UUID(int=number) for number in range(1, 5))


def order(centavos: int, account_id: UUID = ACCOUNT) -> ReadyOrder:
    return ready(account_id, TENANT, centavos, PROVIDER, None)


def holding(centavos: int, status: AccountStatus = AccountStatus.ACTIVE, tenant_id: UUID = TENANT) -> PayingAccount:
    return PayingAccount(tenant_id, status, Money(centavos))


def test_the_whole_balance_can_be_spent() -> None:
    assert decide([order(100)], {ACCOUNT: holding(100)}) == [None]


def test_one_centavo_more_can_not() -> None:
    (verdict,) = decide([order(101)], {ACCOUNT: holding(100)})
    assert isinstance(verdict, InsufficientBalance)


def test_a_large_order_that_is_refused_does_not_stop_a_small_one_behind_it() -> None:
    verdicts = decide([order(60), order(60), order(40)], {ACCOUNT: holding(100)})
    assert [verdict is None for verdict in verdicts] == [True, False, True]


def test_an_absent_account_and_another_tenants_are_refused_alike() -> None:
    (absent,) = decide([order(1)], {})
    (foreign,) = decide([order(1)], {ACCOUNT: holding(100, tenant_id=OTHER)})
    assert isinstance(absent, NotFound)
    assert isinstance(foreign, NotFound)
    assert (absent.text, absent.flaws) == (foreign.text, foreign.flaws)


def test_only_an_active_account_pays() -> None:
    for status in set(AccountStatus) - {AccountStatus.ACTIVE}:
        (verdict,) = decide([order(1)], {ACCOUNT: holding(100, status)})
        assert isinstance(verdict, Conflict)


@given(start=some.integers(0, 500), amounts=some.lists(some.integers(1, 200), max_size=30))
def test_no_batch_spends_more_than_there_is(start: int, amounts: list[int]) -> None:
    verdicts = decide([order(amount) for amount in amounts], {ACCOUNT: holding(start)})
    left = start
    for amount, verdict in zip(amounts, verdicts, strict=True):
        assert (verdict is None) == (amount <= left), "greedy, in arrival order"
        left -= amount if verdict is None else 0
    assert left >= 0
