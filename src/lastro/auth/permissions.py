"""The permissions of the contract, one a verb; nothing is allowed by default."""

from enum import StrEnum

EVERYTHING = "*"
"""What a token of `lastro dev` holds: every permission, present and future."""


class Permission(StrEnum):
    """What a token may do. `BAAS_ACCOUNTS_BLOCK` is ours; the others are the contract's."""

    ACCOUNTS_CREATE = "BAAS_ACCOUNTS_CREATE"
    ACCOUNTS_READ = "BAAS_ACCOUNTS_READ"
    ACCOUNTS_UPDATE = "BAAS_ACCOUNTS_UPDATE"
    ACCOUNTS_CLOSE = "BAAS_ACCOUNTS_CLOSE"
    ACCOUNTS_BLOCK = "BAAS_ACCOUNTS_BLOCK"
    ACCOUNTS_KYC = "BAAS_ACCOUNTS_KYC"
    ACCOUNTS_KYC_READ = "BAAS_ACCOUNTS_KYC_READ"
    PIX_SEND = "BAAS_PIX_SEND"
    PIX_READ = "BAAS_PIX_READ"
    PIX_REFUND = "BAAS_PIX_REFUND"
    PIX_KEYS_CREATE = "BAAS_PIX_KEYS_CREATE"
    PIX_KEYS_READ = "BAAS_PIX_KEYS_READ"
    PIX_KEYS_DELETE = "BAAS_PIX_KEYS_DELETE"
    PIX_QRCODE_CREATE = "BAAS_PIX_QRCODE_CREATE"
    PIX_QRCODE_READ = "BAAS_PIX_QRCODE_READ"
