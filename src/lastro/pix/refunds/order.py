"""What a tenant asks for when it gives a Pix back."""

from dataclasses import dataclass

from lastro.values.money import Money


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """`amount` None: whatever is left."""

    amount: Money | None
    reason: str | None
