"""README.md: the program in it runs as it stands, here against a server that answers as Anthropic's does."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fakes import provider_anthropic as wire
from tests.fakes.provider import ProviderServer
from tests.service.builders import ROOT


def program() -> str:
    (found,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    return str(found)


async def test_the_program_of_the_page_prints_the_answer(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program(), encoding="utf-8")
    calls = wire.message(wire.called("order_status", number="10482"))
    ends = wire.message(wire.called("finish", "toolu_2", reply="It comes on Tuesday."))
    async with ProviderServer(wire.whole(calls), wire.whole(ends)) as server:
        environ = os.environ | {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": server.url, "PYTHONPATH": str(ROOT)}
        ran = await _run([sys.executable, str(tmp_path / "program.py")], environ)
    assert (ran.returncode, ran.stdout) == (0, "It comes on Tuesday.\n"), ran.stderr
    first, second = (one.body for one in server.asked)
    assert "Where is my order 10482?" in str(first["messages"][0])
    assert "on its way, here on Tuesday" in str(second["messages"][-1])


async def _run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
