"""What a tenant, or an operator for it, wants of a provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lastro.providers.features import Feature
from lastro.providers.states import ProviderStatus, ProviderType
from lastro.values.bank_account import AccountType


@dataclass(frozen=True, slots=True)
class Terms:
    """What may change about a provider. None among the features or account types: all that the adapter knows."""

    name: str
    code: str | None
    type: ProviderType = ProviderType.FULL
    status: ProviderStatus = ProviderStatus.ACTIVE
    features: tuple[Feature, ...] | None = None
    account_types: tuple[AccountType, ...] | None = None
    strict_documents: bool = True
    hides_accounts: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NewProvider:
    """A provider to be added: the participant that it is, the way to reach it, and its terms."""

    ispb: str
    adapter: str
    terms: Terms


Changes = Mapping[str, Any]
"""By the names of `Terms`: what a client mentioned."""
