"""The newsroom of the webhooks, read and replayed."""

from webhooks.conftest import courier, newsroom

__all__ = ["courier", "newsroom"]
