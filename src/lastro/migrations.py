"""Brings a database to the schema of this version, from a command or from a program."""

from pathlib import Path

from alembic import command
from alembic.config import Config

ROOT = Path(__file__).resolve().parents[2]


def configuration(url: str) -> Config:
    """Alembic's configuration for this database."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Apply every migration that is missing. The login must own the schema."""
    command.upgrade(configuration(url), "head")
