"""From settle.toml to a connector, and what the doctor and the commands say about it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from agents.errors import InvalidDocument
from service.doctor import Finding, checks
from service.settings import load_settings
from tests.helpdesks.django_desk import DjangoDesk
from tests.service.builders import PYTHON, ROOT, deployment_in, example_tickets, settle

CONNECTOR = """
class Desk:
    def __init__(self, *, tenant: str, url: str) -> None:
        self.told = (tenant, url)

    async def changed(self, since):
        return [str(self.told)]

    async def anything(self, *args, **rest): ...

    get = reply = find_reply = set_status = note = attachment = hand_off = anything
"""


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor starts no browser here."""
    monkeypatch.setenv("SETTLE_CHROMIUM", "/nowhere")


def deployment_with(folder: Path, section: str) -> Path:
    deployment = deployment_in(folder)
    file = deployment / "settle.toml"
    file.write_text(f"{file.read_text(encoding='utf-8')}\n[helpdesk]\n{section}\n", encoding="utf-8")
    return deployment


def section(django: DjangoDesk, **changes: object) -> str:
    fields = {
        "kind": "django-helpdesk",
        "url": django.url,
        "token": "${secret.DESK_TOKEN}",
        "agent_user": django.agent.id,
        "poll_seconds": 1,
        **changes,
    }
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in fields.items())


def diagnosed(deployment: Path) -> Finding:
    (finding,) = (one for one in checks(deployment) if one.name == "helpdesk")
    return finding


@pytest.mark.parametrize(
    "text, field",
    [
        ('kind = "zendesk"', "helpdesk"),
        ('url = "https://desk.example"', "helpdesk"),
        ('kind = "http"\nurl = "https://desk.example"', "token"),
        ('kind = "django-helpdesk"\nurl = "https://d.example"\ntoken = "t"\nagent_user = "settle"', "agent_user"),
        ('kind = "custom"\nconnector = "acorn"', "connector"),
        ('kind = "http"\nurl = "https://desk.example"\ntoken = "t"\npoll_seconds = 0', "poll_seconds"),
        ('kind = "http"\nurl = "${process.desk.url}"\ntoken = "t"', "no .*process.* is called 'desk'"),
        ('kind = "custom"\nconnector = "a.py:A"\nsettings = { url = "${nonsense}" }', "nonsense"),
    ],
)
def test_a_section_that_does_not_fit_is_named(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(InvalidDocument, match=field):
        load_settings(deployment_with(tmp_path, text) / "settle.toml")


def test_the_doctor_asks_the_helpdesk(tmp_path: Path, django: DjangoDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = deployment_with(tmp_path, section(django))
    assert not diagnosed(deployment).ok
    assert "DESK_TOKEN" in diagnosed(deployment).detail
    monkeypatch.setenv("DESK_TOKEN", "not-the-token")
    assert "refuses the credential" in diagnosed(deployment).detail
    assert "not-the-token" not in str(diagnosed(deployment))
    monkeypatch.setenv("DESK_TOKEN", django.agent.token)
    assert diagnosed(deployment).ok


@pytest.mark.parametrize(
    "code, said",
    [
        (CONNECTOR, ""),
        (CONNECTOR.replace("hand_off = ", ""), "has no hand_off"),
        (CONNECTOR.replace("class Desk", "class Other"), "no class 'Desk'"),
        (CONNECTOR.replace("url", "host"), "url"),
        ("import nowhere", "ModuleNotFoundError"),
    ],
)
def test_a_connector_of_the_deployments_own(tmp_path: Path, code: str, said: str) -> None:
    text = 'kind = "custom"\nconnector = "desk/acorn.py:Desk"\nsettings = { url = "https://desk.example" }'
    deployment = deployment_with(tmp_path, text)
    (deployment / "desk").mkdir()
    (deployment / "desk" / "acorn.py").write_text(code)
    finding = diagnosed(deployment)
    assert (finding.ok, said in finding.detail) == (not said, True)


def test_a_connector_that_raises_and_a_webhook_secret_that_is_none_are_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'kind = "custom"\nconnector = "acorn.py:Desk"\nwebhook_secret = "${secret.HOOK}"\nsettings = { url = "5" }'
    deployment = deployment_with(tmp_path, text)
    (deployment / "acorn.py").write_text(CONNECTOR.replace("return [str(self.told)]", "return [self.told[1] + 1]"))
    monkeypatch.setenv("HOOK", "much-too-short")
    finding = diagnosed(deployment)
    assert (finding.ok, "webhook_secret" in finding.detail, "24" in finding.detail) == (False, True, True)
    assert "much-too-short" not in finding.detail + finding.advice
    monkeypatch.setenv("HOOK", "long-enough-for-an-address-of-webhooks")
    finding = diagnosed(deployment)
    assert (finding.ok, "raised TypeError" in finding.detail) == (False, True)
    assert "every setting is text" in finding.advice


def test_a_file_of_tickets_is_refused_where_tickets_come_from_a_helpdesk(tmp_path: Path, django: DjangoDesk) -> None:
    deployment = deployment_with(tmp_path, section(django))
    file = tmp_path / "tickets.jsonl"
    file.write_text(json.dumps(example_tickets("T-1001")[0]) + "\n")
    done = settle("run", file, "--deployment", deployment, "--no-browser", cwd=tmp_path, DESK_TOKEN=django.agent.token)
    assert done.returncode == 2
    assert "settle serve" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_works_until_it_is_told_to_stop(tmp_path: Path, django: DjangoDesk) -> None:
    deployment = deployment_with(
        tmp_path, section(django, webhook_secret="whsec_c2VjcmV0c2VjcmV0c2VjcmV0", overlap_seconds=0)
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DESK_TOKEN": django.agent.token, "PYTHONUNBUFFERED": "1"}
    command = [PYTHON, "-m", "service.cli", "serve", "--deployment", str(deployment), "--no-browser", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        hooks, begun = process.stdout.readline(), process.stdout.readline()
        assert hooks.startswith("Webhooks are taken at http://127.0.0.1:"), process.stderr.read()
        assert begun.startswith("Working on django-helpdesk")
        ticket_id = asyncio.run(django.open("Where is my order 10571?", subject="Order", email="nobody@example.com"))
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith(ticket_id) and ("answered" in line or "handed" in line or "asks the requester" in line):
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, lines
        assert "Stopped." in process.stdout.read()
        assert "Traceback" not in "".join(lines) + process.stderr.read()
    told = {"DESK_TOKEN": django.agent.token}
    listed = settle("tickets", "--json", "--state", deployment / ".settle", cwd=tmp_path, path=(ROOT,), **told)
    assert [one["ticket"] for one in json.loads(listed.stdout)] == [ticket_id]
