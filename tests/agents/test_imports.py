"""What importing costs: nothing heavy comes with the package's root."""

from __future__ import annotations

import subprocess
import sys


def loaded(code: str) -> set[str]:
    script = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_root_brings_neither_browser_nor_engine() -> None:
    modules = loaded("import agents, agents.planner, agents.runtime")
    assert "agents.executor" in modules
    assert modules.isdisjoint({"playwright", "dbos", "sqlmodel", "sqlalchemy", "anthropic", "openai", "fastapi"})


def test_every_public_name_is_there() -> None:
    import agents

    assert sorted(agents.__all__) == agents.__all__
    assert all(hasattr(agents, name) for name in agents.__all__)
    assert len(agents.__all__) <= 45
