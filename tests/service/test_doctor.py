"""The doctor finds what is wrong and says what to do; the browser is got in three ways, all of them rehearsed here."""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from pathlib import Path

import pytest

from agents.errors import BrowserUnavailable
from agents.tools.browser import find_chromium
from service.browser_setup import ensure_browser
from service.database import Database
from service.deployment import make_state
from service.doctor import Finding, checks, healthy
from tests.service.builders import ROOT, deployment_in, program, settle


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Chromium is found, and none is installed on this machine, unless a test puts one there."""
    monkeypatch.delenv("SETTLE_CHROMIUM", raising=False)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "downloads"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "venv" / "python", "exit 1")))


def found(name: str, *, deployment: Path | None = None, state: Path | None = None) -> Finding:
    """The one finding of that name."""
    (finding,) = (one for one in checks(deployment, state) if one.name == name)
    assert finding.ok is not bool(finding.advice)
    return finding


def test_a_sound_deployment_before_its_first_run(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    findings = checks(deployment, deployment / ".settle")
    assert {finding.name for finding in findings if not finding.ok} == {"browser"}
    assert healthy(findings)
    assert not (deployment / ".settle").exists()


def test_everything_that_is_wrong_in_the_documents_is_listed(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    contract = deployment / "contracts" / "acme-2026.yaml"
    text = contract.read_text(encoding="utf-8").replace("currency: USD", "currency: dollars").replace("72h", "soon")
    contract.write_text(text, encoding="utf-8")
    finding = found("deployment", deployment=deployment)
    assert "currency" in finding.detail
    assert "settle.after" in finding.detail
    assert "these 2" in finding.advice
    assert not healthy((finding,))
    assert "settle.toml" in found("deployment", deployment=tmp_path / "none").detail


def test_a_missing_secret_and_an_unknown_process_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = deployment_in(tmp_path)
    file = deployment / "settle.toml"
    text = file.read_text().replace("${secret.BACK_OFFICE_AUDIT_TOKEN}", "${secret.AUDIT_ELSEWHERE}")
    file.write_text(text.replace('[[process]]\nname = "back_office"', '[[process]]\nname = "office"'))
    assert "AUDIT_ELSEWHERE" in found("secrets", deployment=deployment).advice
    assert "back_office" in found("deployment", deployment=deployment).detail
    monkeypatch.setenv("AUDIT_ELSEWHERE", "a secret value")
    finding = found("secrets", deployment=deployment)
    assert finding.ok
    assert "a secret value" not in finding.detail


MODELS = """
[models]
executor = ["anthropic:claude-sonnet-5", "kimi:unheard-of"]
judge = ["bedrock:claude-sonnet-5"]
"""


def test_what_keeps_a_model_from_being_asked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = deployment_in(tmp_path)
    for variable in ("ANTHROPIC_API_KEY", "MOONSHOT_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    assert "models" not in {one.name for one in checks(deployment)}
    with (deployment / "settle.toml").open("a") as file:
        file.write(MODELS)
    finding = found("models", deployment=deployment)
    assert "anthropic:claude-sonnet-5: set the environment variable ANTHROPIC_API_KEY;" in finding.advice
    assert "MOONSHOT_API_KEY, nobody knows its price; set one in [models.prices]" in finding.advice
    assert "pip install 'settle-agents[bedrock]'" in finding.advice
    assert finding.essential


def test_a_role_needs_one_model_that_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = deployment_in(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-hidden")
    monkeypatch.delenv("MOONSHOT_API_KEY", raising=False)
    with (deployment / "settle.toml").open("a") as file:
        file.write(MODELS.replace("judge", "# judge"))
    finding = found("models", deployment=deployment)
    assert not finding.essential
    assert finding.detail == "cannot be asked: kimi:unheard-of"
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-hidden")
    with (deployment / "settle.toml").open("a") as file:
        file.write('[models.fallback_price]\ninput = "1"\noutput = "5"\n')
    finding = found("models", deployment=deployment)
    assert finding.detail == "2 named, each with a key and a price; none was asked"
    assert "hidden" not in f"{checks(deployment)}"


def test_keys_have_to_be_private_and_whole(tmp_path: Path) -> None:
    state = make_state(tmp_path / "state", deployment_in(tmp_path))
    state.key("vendor")
    assert found("keys", state=state.folder).ok
    key = state.folder / "keys" / "vendor.key"
    key.chmod(0o644)
    finding = found("keys", state=state.folder)
    assert f"chmod 600 {key}" in finding.advice
    key.chmod(0o600)
    key.write_bytes(b"short")
    assert "5 bytes" in found("keys", state=state.folder).detail


def test_the_databases_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = deployment_in(tmp_path)
    state = make_state(tmp_path / "state", deployment)
    assert "first use" in found("database", deployment=deployment, state=state.folder).detail
    database = Database(state.database_url(""))
    database.upgrade()
    assert "at revision" in found("database", deployment=deployment, state=state.folder).detail
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from the future'")
    database.close()
    assert "unknown revision" in found("database", deployment=deployment, state=state.folder).detail
    (state.folder / "engine.db").write_bytes(b"not a database" * 100)
    assert "not a database" in found("engine database", deployment=deployment, state=state.folder).detail
    monkeypatch.setenv("SETTLE_DATABASE_URL", "postgresql+psycopg://settle:hidden@127.0.0.1:1/none")
    finding = found("database", deployment=deployment, state=state.folder)
    assert not finding.ok
    assert "hidden" not in finding.detail + finding.advice
    monkeypatch.setenv("SETTLE_DATABASE_URL", "hidden words")
    assert "hidden" not in found("database", deployment=deployment, state=state.folder).detail


def test_a_state_that_nothing_can_be_written_in_is_essential(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    finding = found("state", state=blocked)
    assert not finding.ok
    assert finding.essential
    broken = tmp_path / "state"
    broken.mkdir()
    (broken / "state.json").write_text("{")
    assert [one.ok for one in checks(None, broken) if one.name == "state"] == [True, False]


def test_a_lock_that_somebody_holds_is_said_and_not_essential(tmp_path: Path) -> None:
    state = make_state(tmp_path / "state", deployment_in(tmp_path))
    assert found("lock", state=state.folder).ok
    with (state.folder / "lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        finding = found("lock", state=state.folder)
    assert not finding.ok
    assert not finding.essential


def test_a_browser_that_is_none_or_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "python -m service.browser_setup" in found("browser").advice
    monkeypatch.setenv("SETTLE_CHROMIUM", str(tmp_path / "none"))
    assert "SETTLE_CHROMIUM" in found("browser").detail


def test_the_doctor_of_the_command_line_starts_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    deployment = deployment_in(tmp_path)
    done = settle("doctor", "--json", cwd=deployment)
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (0, True), done.stdout
    browser = next(one for one in report["findings"] if one["name"] == "browser")
    assert browser["ok"], browser
    false = program(tmp_path / "false", "exit 1")
    done = settle("doctor", cwd=deployment, SETTLE_CHROMIUM=str(false))
    assert "does not start" in done.stdout
    assert done.returncode == 0
    (deployment / "replies" / "handed-off.en.md").unlink()
    done = settle("doctor", cwd=deployment, SETTLE_CHROMIUM=str(false))
    assert done.returncode == 1
    assert "handed-off" in done.stdout


def test_packages_of_somebody_else_are_named(tmp_path: Path) -> None:
    other = tmp_path / "site"
    (other / "agents").mkdir(parents=True)
    (other / "agents" / "__init__.py").write_text("")
    record = other / "openai_agents-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: openai-agents\nVersion: 1.0\n")
    (record / "top_level.txt").write_text("agents\n")
    done = settle("outcomes", cwd=tmp_path, path=(other, ROOT))
    assert done.returncode == 2
    assert str(other / "agents" / "__init__.py") in done.stderr
    assert "openai-agents" in done.stderr
    assert "virtual environment" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_browser_that_is_there_is_used(tmp_path: Path) -> None:
    path = program(tmp_path / "bin" / "chromium", "echo Chromium 1")
    said: list[str] = []
    assert ensure_browser(said.append) == path
    assert said == []


def test_playwright_is_asked_first(tmp_path: Path) -> None:
    target = tmp_path / "downloads" / "chromium-1" / "chrome-linux" / "chrome"
    made = program(tmp_path / "made", "exit 0")
    script = f"/bin/mkdir -p {target.parent}\n/bin/cp {made} {target}\necho $@ > {tmp_path}/args"
    program(tmp_path / "venv" / "python", script)
    said: list[str] = []
    assert ensure_browser(said.append) == target
    assert (tmp_path / "args").read_text() == "-m playwright install chromium\n"
    assert "Playwright" in said[0]


def test_the_system_is_asked_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    made = program(tmp_path / "made", "exit 0")
    apt = f'echo "$@" >> {tmp_path}/args\n[ "$1" = update ] || /bin/cp {made} {tmp_path}/bin/chromium'
    program(tmp_path / "bin" / "apt-get", apt)
    assert ensure_browser(lambda text: None) == tmp_path / "bin" / "chromium"
    assert (tmp_path / "args").read_text() == "update\ninstall -y --no-install-recommends chromium\n"


def test_only_root_installs_for_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    program(tmp_path / "bin" / "apt-get", f"/bin/touch {tmp_path}/called")
    with pytest.raises(BrowserUnavailable):
        ensure_browser(lambda text: None)
    assert not (tmp_path / "called").exists()


def test_without_any_way_the_three_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "chromium", "exit 127")
    program(tmp_path / "venv" / "python", "echo no network; exit 3")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BrowserUnavailable) as raised:
        ensure_browser(lambda text: None)
    for words in ("does not start", "exit 3: no network", "playwright install", "apt-get install", "SETTLE_CHROMIUM="):
        assert words in str(raised.value)
    monkeypatch.setenv("SETTLE_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(BrowserUnavailable, match="no such file"):
        ensure_browser(lambda text: None)


def test_the_fixture_hides_the_browser_of_this_machine() -> None:
    assert find_chromium() is None
    assert shutil.which("chromium") is None
