"""A provider behind its breakers: the same Protocols, and quick to say that nobody answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from lastro.providers.breaker import Circuits
from lastro.providers.protocol import (
    Holder,
    Instruction,
    KeyOwner,
    KycPaper,
    MadeCode,
    Notification,
    Opened,
    Outcome,
    Probe,
    Provider,
    ReturnInstruction,
    WantedCode,
)
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId


class Guarded:
    """Implements `lastro.providers.protocol.Provider`. While a breaker is open, its calls raise ProviderUnavailable."""

    def __init__(self, provider: Provider, circuits: Circuits) -> None:
        self._provider = provider
        self._circuits = circuits

    async def find_key(self, key: PixKey, *, ispb: str, payer_tax_id: TaxId, end_to_end_id: EndToEndId) -> KeyOwner:
        """Through the directory's breaker."""
        ask = partial(self._provider.find_key, ispb=ispb, payer_tax_id=payer_tax_id, end_to_end_id=end_to_end_id)
        return await self._circuits.directory.through(partial(ask, key))

    async def register_key(
        self, key: PixKey | None, *, kind: KeyType, owner: Holder, account: BankAccount, request_id: UUID
    ) -> PixKey:
        """Through the directory's breaker."""
        ask = partial(self._provider.register_key, kind=kind, owner=owner, account=account, request_id=request_id)
        return await self._circuits.directory.through(partial(ask, key))

    async def remove_key(self, key: PixKey, *, ispb: str, request_id: UUID) -> None:
        """Through the directory's breaker."""
        ask = partial(self._provider.remove_key, key, ispb=ispb, request_id=request_id)
        await self._circuits.directory.through(ask)

    async def settle(self, instructions: Sequence[Instruction]) -> Sequence[Outcome | None]:
        """Through the rail's breaker."""
        return await self._circuits.settlement.through(partial(self._provider.settle, instructions))

    async def give_back(self, instruction: ReturnInstruction) -> Outcome:
        """Through the rail's breaker."""
        return await self._circuits.settlement.through(partial(self._provider.give_back, instruction))

    async def outcome_of(self, end_to_end_id: EndToEndId, *, account: BankAccount) -> Outcome | None:
        """Through the rail's breaker."""
        ask = partial(self._provider.outcome_of, end_to_end_id, account=account)
        return await self._circuits.settlement.through(ask)

    async def open_account(
        self, holder: Holder, kind: AccountType, *, ispb: str, provider_id: UUID, request_id: UUID
    ) -> Opened:
        """Through the office's breaker."""
        ask = partial(self._provider.open_account, ispb=ispb, provider_id=provider_id, request_id=request_id)
        return await self._circuits.office.through(partial(ask, holder, kind))

    async def submit_kyc(
        self,
        account_id: UUID,
        holder: Holder,
        papers: Sequence[KycPaper],
        *,
        ispb: str,
        provider_id: UUID,
        request_id: UUID,
    ) -> None:
        """Through the office's breaker."""
        ask = partial(self._provider.submit_kyc, ispb=ispb, provider_id=provider_id, request_id=request_id)
        await self._circuits.office.through(partial(ask, account_id, holder, papers))

    async def make_code(self, wanted: WantedCode) -> MadeCode:
        """Through the office's breaker."""
        return await self._circuits.office.through(partial(self._provider.make_code, wanted))

    async def send_code(self, kind: KeyType, address: str, *, code: str, key_id: UUID, expires_at: datetime) -> None:
        """Through the messenger's breaker."""
        ask = partial(self._provider.send_code, code=code, key_id=key_id, expires_at=expires_at)
        await self._circuits.messages.through(partial(ask, kind, address))

    def read(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """What the provider tells us has come through already."""
        return self._provider.read(headers, body)

    async def examine(self, *, ispb: str) -> Sequence[Probe]:
        """Past the breakers: who asks whether it answers wants to know it from the provider."""
        return await self._provider.examine(ispb=ispb)
