"""A help centre at work inside the test's own process: articles, one procedure that quotes them, a signed contract."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from service.assembly import running
from service.deployment import make_state
from service.progress import Moment
from tests.service.retail_desk import RetailDesk, Swap, sign

HELP_CENTRE = Path(__file__).parent / "help_centre"
NO_OFFICE: Any = None


def help_centre_in(folder: Path) -> Path:
    """A copy of the deployment, to be changed."""
    copy = folder / "help"
    shutil.copytree(HELP_CENTRE, copy)
    return copy


@asynccontextmanager
async def help_at_work(
    folder: Path, deployment: Path | None = None, *, tools: Swap = lambda toolbox: toolbox
) -> AsyncIterator[RetailDesk]:
    """A desk over a copy of the help centre, or over ``deployment``; its state is in ``folder``."""
    moments = list[Moment]()
    state = make_state(folder / "state", deployment or help_centre_in(folder))
    async with running(state, browser=False, tools=tools, progress=moments.append) as run:
        sign(run)
        yield RetailDesk(run=run, office=NO_OFFICE, moments=moments)
