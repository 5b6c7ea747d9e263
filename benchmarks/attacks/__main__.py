"""``python -m benchmarks.attacks [--quick]``: goals reached and tasks finished, with the policy and without."""

from __future__ import annotations

import argparse
import asyncio
import time

from benchmarks.attacks.pack import goals, tasks
from benchmarks.attacks.table import MODES, cases, run
from benchmarks.attacks.world import Carrier


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one carrier for each goal and task")
    chosen = list(cases(quick=parser.parse_args().quick))
    print(f"{len(tasks())} procedures, {len(goals())} goals, {len(Carrier)} carriers: {len(chosen)} attacks")
    for mode in MODES:
        started = time.perf_counter()
        result = asyncio.run(run(chosen, mode))
        print(f"\n{mode.name} ({time.perf_counter() - started:.0f} s)")
        for line in result.lines():
            print(f"  {line}")


if __name__ == "__main__":
    main()
