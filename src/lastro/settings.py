"""Every environment variable that Lastro reads, in one frozen class; nothing is read elsewhere."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from lastro.keyring import KeyRing
from lastro.values.brcode import LONGEST_CITY, fold
from lastro.values.network import parse_network


def _for_asyncpg(url: str) -> str:
    """Accept the URL that every Postgres tool prints, and name the driver that we use."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return f"postgresql+asyncpg://{rest.replace('sslmode=', 'ssl=')}"


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < 32:  # noqa: PLR2004
        raise ValueError("must have at least 32 characters; make one with: openssl rand -base64 32")
    return secret


def _location(text: str) -> str:
    """As it will stand in a code: with a token of 32 after it, within the 77 characters of a BR Code's URL."""
    bare = text.removeprefix("http://")
    if not re.fullmatch(r"[a-z0-9.-]+(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~-]+)+", bare) or len(bare) > 44:  # noqa: PLR2004
        raise ValueError("must look like pix.example.com/qr/v2, without https://, and have at most 44 characters")
    return text


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[1-9][0-9]{0,4})?", text):
        raise ValueError("must look like https://api.example.com, without a path")
    return text


def _city(text: str) -> str:
    if not fold(text, LONGEST_CITY):
        raise ValueError("must be the name of a city")
    return text


def _networks(text: str) -> str:
    for each in text.split(","):
        if each.strip():
            parse_network(each.strip())
    return text


def _or_none(path: object) -> object:
    """An empty variable is an absent one, not the current directory."""
    return path or None


def _a_ring(keys: SecretStr) -> SecretStr:
    KeyRing.parse(keys.get_secret_value())
    return keys


PostgresUrl = Annotated[str, AfterValidator(_for_asyncpg)]
Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
PixLocation = Annotated[str, AfterValidator(_location)]
Origin = Annotated[str, AfterValidator(_origin)]
City = Annotated[str, AfterValidator(_city)]
Networks = Annotated[str, AfterValidator(_networks)]
Keys = Annotated[SecretStr, AfterValidator(_a_ring)]


class Settings(BaseSettings):
    """Set by the operator through `LASTRO_…`; `docs/operations.md` explains each."""

    model_config = SettingsConfigDict(env_prefix="LASTRO_", frozen=True, extra="ignore")

    database_url: PostgresUrl = Field(description="The bank's database.")
    migration_database_url: PostgresUrl | None = Field(
        default=None, description="The owner's login, for `lastro migrate`; by default the bank's own."
    )
    token_pepper: Secret = Field(description="Key of the HMAC under which tokens are stored.")
    encryption_keys: Keys = Field(description="Under which documents and credentials lie sealed; the first seals.")
    environment: Literal["live", "test"] = Field(default="live", description="The word inside every token.")
    network_url: str = Field(description="Where the gateway to DICT and SPI answers (docs/network.md).")
    network_secret: Secret = Field(description="Shared with the gateway, both ways.")
    openpix_url: Annotated[Origin | None, BeforeValidator(_or_none)] = Field(
        default=None, description="Where OpenPix's API answers, such as https://api.woovi.com; not used by default."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port where `lastro worker` serves /metrics; nowhere by default."
    )
    trusted_proxies: Networks = Field(
        default="", description="Networks, with commas, of proxies whose X-Forwarded-For is believed."
    )
    dict_category: Literal["A", "B", "C", "D", "E", "F", "G", "H"] = Field(
        default="B", description="The participant's category at the Central Bank, which says how much it may ask DICT."
    )
    pool_size: int = Field(
        default=10, ge=2, le=100, description="Database connections of one process, besides eight for sets."
    )
    docs: bool = Field(default=False, description="Serve /docs and /openapi.json.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    pix_hosts: str = Field(default="", description="Hosts, with commas, where charges of Pix codes may be fetched.")
    qr_certificate: Annotated[Path | None, BeforeValidator(_or_none)] = Field(
        default=None, description="PEM file: the key and the certificates that sign our charges."
    )
    pix_location: Annotated[PixLocation | None, BeforeValidator(_or_none)] = Field(
        default=None,
        description="Where others find the charges of our codes; by default host:port/qr/v2.",
    )
    merchant_city: City = Field(default="BRASILIA", description="The city that our codes name.")
    simulator_database_url: PostgresUrl | None = Field(default=None, description="The simulator's own database.")
    simulator_deliver_to: str | None = Field(default=None, description="Where the simulator finds Lastro.")
