"""Property tests draw the same examples in every run of `make test`; `make test-long` draws new ones, and more."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from service import pytest_plugin

pytest.register_assert_rewrite("tests.helpdesks.scenarios")

SLOW_MACHINES = [HealthCheck.too_slow]
settings.register_profile("settle", deadline=None, derandomize=True, suppress_health_check=SLOW_MACHINES)
settings.register_profile("long", deadline=None, max_examples=1000, suppress_health_check=SLOW_MACHINES)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "settle"))


def pytest_configure(config: pytest.Config) -> None:
    """Settle's own plugin, also where Settle was installed before it had one."""
    if not config.pluginmanager.has_plugin("settle"):
        config.pluginmanager.register(pytest_plugin, "settle")


def pytest_make_parametrize_id(val: Any) -> str | None:
    """A name without the address in memory, so that every worker of a parallel run collects the same tests."""
    shown = re.sub(r" at 0x[0-9a-f]+", "", repr(val))
    return shown.strip("<>") if shown != repr(val) else None
