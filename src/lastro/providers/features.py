"""What a provider can do, in the words of its `supportedFeatures`: the columns of the capability matrix."""

from enum import StrEnum


class Feature(StrEnum):
    """What is not in an adapter's list is 422 before anybody is called."""

    ACCOUNTS = "ACCOUNTS"  # opens accounts and gives them their numbers
    KYC = "KYC"  # reviews documents
    PIX_LOOKUP = "PIX_LOOKUP"  # says who stands behind a key
    PIX_SEND = "PIX_SEND"
    PIX_RECEIVE = "PIX_RECEIVE"
    PIX_REFUND = "PIX_REFUND"
    PIX_KEYS = "PIX_KEYS"  # registers and removes keys
    PIX_QRCODE = "PIX_QRCODE"  # makes codes of its own, in place of ours
    MESSAGES = "MESSAGES"  # sends codes to customers by e-mail and SMS
