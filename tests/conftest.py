"""Property tests draw the same examples in every run of `make test`; `make test-long` draws new ones, and more."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SLOW_MACHINES = [HealthCheck.too_slow]
settings.register_profile("settle", deadline=None, derandomize=True, suppress_health_check=SLOW_MACHINES)
settings.register_profile("long", deadline=None, max_examples=1000, suppress_health_check=SLOW_MACHINES)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "settle"))
