"""docs/going-live.md: every command in it works as it stands there, and every setting is one."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from service.rollout import decide
from service.settings import load_settings
from tests.service.builders import ROOT, deployment_in, example_tickets, settle

TEXT = (ROOT / "docs" / "going-live.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", TEXT)


def commands() -> list[list[str]]:
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def git(*arguments: str, cwd: Path) -> None:
    who = {f"GIT_{role}_{field}": "test@example.com" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=cwd, env=environment, check=True, capture_output=True, timeout=60)


def test_every_command_works_as_it_is_written(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    tickets = example_tickets("T-1001", "T-1002", "T-1013")
    for ticket, outcome in zip(tickets, ("refund_issued", "order_status_told", "handoff"), strict=True):
        ticket["expected_outcome"] = outcome
    (deployment / "history").mkdir()
    for file in ("past.jsonl", "history/past.jsonl"):
        (deployment / file).write_text("".join(json.dumps(ticket) + "\n" for ticket in tickets), encoding="utf-8")
    git("init", "-q", "-b", "main", cwd=deployment)
    git("add", ".", cwd=deployment)
    git("commit", "-q", "-m", "as it was", cwd=deployment)
    git("update-ref", "refs/remotes/origin/main", "main", cwd=deployment)
    wanted = commands()
    # The worktree comes first: the page shows `settle eval` before it says how ../before comes about.
    for command in sorted(wanted, key=lambda words: words[0] != "git"):
        if command[0] == "git":
            git(*command[1:], cwd=deployment)
            continue
        assert command[0] == "settle"
        if command[1] == "stop":
            settle("run", "past.jsonl", "--no-browser", cwd=deployment)
        done = settle(*command[1:], cwd=deployment)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert [words[1] for words in wanted if words[0] == "settle"] == ["simulate", "eval", "eval", "stop", "resume"]
    assert "3 tickets rehearsed" in (deployment / "simulation.html").read_text(encoding="utf-8")


def test_every_setting_is_one(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    plain = (deployment / "settle.toml").read_text(encoding="utf-8")
    found = []
    for block in blocks("toml"):
        (deployment / "settle.toml").write_text(f"{plain}\n{block}", encoding="utf-8")
        assert settle("lint", ".", cwd=deployment).returncode == 0, block
        found.append(load_settings(deployment / "settle.toml").rollout)
    assert [one.percent for one in found] == [100, 25]
    assert decide(found[0], "acme", "T-1", {"cancel-order"}, at=datetime(2026, 3, 2, 12, tzinfo=UTC))[0] == "shadow"
