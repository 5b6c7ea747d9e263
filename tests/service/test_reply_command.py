"""``settle reply``: what a requester wrote back reaches a ticket that came from a file, once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from service.starter import make_deployment
from tests.service.builders import settle


def line(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["tickets"]
    return found


def test_a_question_of_the_agents_is_answered(tmp_path: Path) -> None:
    folder = tmp_path / "bookings"
    make_deployment(folder, "bookings")
    row = {"id": "A-1", "requester": {"email": "mira@example.com"}, "messages": ["Hi, when is my appointment?"]}
    (folder / "tickets.jsonl").write_text(json.dumps(row))
    asked = line(settle("run", "tickets.jsonl", "--json", cwd=folder))
    assert asked["task_state"] == "waiting_requester"

    answered = line(settle("reply", "A-1", "--text", "It is number 40004.", "--json", cwd=folder))
    assert (answered["task_state"], answered["outcome"]["outcome_type"]) == ("claimed", "booking_time_told")

    once_more = line(settle("reply", "A-1", "--text", "That did not help me at all!", "--json", cwd=folder))
    assert once_more["task_state"] == "handed_off"
    again = settle("reply", "A-1", "--text", "That did not help me at all!", "--json", cwd=folder)
    assert line(again) == once_more

    unknown = settle("reply", "A-2", "--text", "Hello", cwd=folder)
    assert (unknown.returncode, "there is no ticket A-2 from a file" in unknown.stderr) == (2, True)
    empty = settle("reply", "A-1", "--text", "  ", cwd=folder)
    assert (empty.returncode, "--text" in empty.stderr) == (2, True)
