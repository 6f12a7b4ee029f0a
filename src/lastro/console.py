"""What the commands of `lastro` share: the settings, said plainly when they are not complete, and a bank to work in."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from lastro import logs
from lastro.settings import Settings

if TYPE_CHECKING:  # so that `lastro --help` answers at once
    from lastro.wiring import Assembly

Result = TypeVar("Result")


def the_settings() -> Settings:
    """The settings; ends the process with what is missing."""
    try:
        return Settings()  # the environment fills it
    except ValidationError as error:
        lines = [f"  LASTRO_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors()]
        sys.exit("lastro: the settings are not complete\n" + "\n".join(lines))


def in_the_bank(work: Callable[["Assembly"], Awaitable[Result]]) -> Result:
    """Run one piece of work with a bank around it."""
    settings = the_settings()
    logs.configure(settings.log_level)

    async def run() -> Result:
        from lastro.wiring import build

        assembly = build(settings)
        try:
            await assembly.open()
            return await work(assembly)
        finally:
            await assembly.close()

    return asyncio.run(run())
