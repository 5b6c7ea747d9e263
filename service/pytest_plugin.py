"""The pytest plugin ``settle``: what `agents.testing` has, as fixtures.

Every pytest run of an environment with Settle in it loads this module, so it imports nothing of Settle: each fixture
does when it is first used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agents.models.scripted import Answer
    from agents.testing import Cassette, FakeApi, ManualClock, MemoryHelpdesk, ScriptedModel, Workbench


@pytest.fixture
def fake_clock() -> ManualClock:
    """A clock that stands at `agents.testing.NOW` and moves only when told to."""
    from agents.testing import NOW, ManualClock

    return ManualClock(NOW)


@pytest.fixture
def fake_helpdesk() -> MemoryHelpdesk:
    """A helpdesk in memory, without any ticket."""
    from agents.testing import MemoryHelpdesk

    return MemoryHelpdesk()


@pytest.fixture
def fake_api() -> Iterator[FakeApi]:
    """An HTTP API on loopback, at ``fake_api.url``, that answers what the test says with ``fake_api.on(...)``."""
    from agents.testing import FakeApi

    api = FakeApi()
    yield api
    api.close()


@pytest.fixture
def scripted_model() -> Iterator[Callable[..., ScriptedModel]]:
    """``scripted_model("words", call("shop__find"), ...)`` is a model that gives these answers, one a request.

    The test fails where one of its models was asked more often than it has answers, or less often.
    """
    from agents.testing import ScriptedModel

    made: list[ScriptedModel] = []

    def scripted(*answers: Answer, **options: Any) -> ScriptedModel:
        made.append(ScriptedModel(answers, **options))
        return made[-1]

    yield scripted
    for model in made:
        model.finish()


@pytest.fixture
def workbench(fake_clock: ManualClock, fake_helpdesk: MemoryHelpdesk) -> Callable[..., Workbench]:
    """``workbench(tools, procedure=..., ...)`` is an `agents.testing.Workbench` with the test's clock and helpdesk."""
    from agents.testing import Workbench

    def made(*tools: Any, **parts: Any) -> Workbench:
        parts.setdefault("clock", fake_clock)
        parts.setdefault("helpdesk", fake_helpdesk)
        return Workbench(tools, **parts)

    return made


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """The test's HTTP answers, played from ``cassettes/FILE/TEST.yaml`` beside the test's file.

    ``SETTLE_RECORD_CASSETTES=1`` records them anew. The test fails if a request is not on the cassette, if anything on
    it is not played, and if anything connects to anywhere.
    """
    from agents.testing.cassettes import RECORD, Cassette

    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    path = request.path.parent / "cassettes" / request.path.stem / f"{name}.yaml"
    with Cassette(path, recording=os.environ.get(RECORD, "") not in ("", "0")).inserted() as inserted:
        yield inserted
