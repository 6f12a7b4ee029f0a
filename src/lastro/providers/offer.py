"""What a provider does for us now: judged before anybody is called."""

from dataclasses import dataclass

from lastro.errors import Flaw, Unprocessable
from lastro.providers.features import Feature
from lastro.providers.states import ProviderStatus
from lastro.values.bank_account import AccountType
from lastro.values.text import Text

_NOT_OFFERED = Text(
    "O provedor não oferece esta operação ({feature}).", "The provider does not offer this operation ({feature})."
)
_SUSPENDED = Text(
    "O provedor está suspenso: nada de novo sai por ele.", "The provider is suspended: nothing new goes out."
)
_NOT_OPENING = Text("O provedor não está ativo e não abre contas.", "The provider is not active and opens no accounts.")


@dataclass(frozen=True, slots=True)
class Offer:
    """The status, and of what the adapter can do, the part that the tenant uses.

    `reviewed_elsewhere`: the adapter has no desk for documents, because its customers were reviewed before. That is the
    adapter's to say, or a tenant could switch the review off by leaving a feature out.
    """

    status: ProviderStatus
    features: frozenset[Feature]
    account_types: frozenset[AccountType]
    reviewed_elsewhere: bool = False

    def refusal(self, *features: Feature) -> Unprocessable | None:
        """Why something new that takes these features can not go out."""
        if self.status is ProviderStatus.SUSPENDED:
            return Unprocessable(_SUSPENDED)
        missing = [feature for feature in features if feature not in self.features]
        return Unprocessable(_NOT_OFFERED.fill(feature=missing[0])) if missing else None

    def demand(self, *features: Feature) -> None:
        """Raise Unprocessable for what can not go out."""
        refusal = self.refusal(*features)
        if refusal is not None:
            raise refusal

    def refuses_to_open(self) -> Unprocessable | None:
        """Why no account can be opened, of whatever type. Without a review of documents none would ever be."""
        review = () if self.reviewed_elsewhere else (Feature.KYC,)
        refusal = self.refusal(Feature.ACCOUNTS, *review)
        if refusal is None and self.status is not ProviderStatus.ACTIVE:
            refusal = Unprocessable(_NOT_OPENING)
        if refusal is None:
            return None
        return Unprocessable(refusal.text, flaws=[Flaw(refusal.text, pointer="/data/attributes/providerId")])
