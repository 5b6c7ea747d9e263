"""A state folder through moves, losses and damage: what is wrong is said, with what to do, and nothing is worked on."""

from __future__ import annotations

import json
import re
import shutil
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.deployment import make_state, open_state
from service.doctor import Finding, checks
from service.starter import SAMPLES, make_deployment
from tests.service.builders import settle


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def finding(name: str, deployment: Path, state: Path) -> Finding:
    """The one of that name that fails, else the first."""
    found = [one for one in checks(deployment, state) if one.name == name]
    return next((one for one in found if not one.ok), found[0])


def again(desk: Path) -> Result:
    """Its samples worked on, as far as they were not."""
    return command("run", desk / SAMPLES, "--deployment", desk, "--no-browser")


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose contract is signed and whose samples were worked on, without a browser."""
    desk = make_deployment(tmp_path_factory.mktemp("worked") / "desk", "desk").deployment
    use(desk, "inline")
    for side in ("vendor", "customer"):
        assert command("contract", "sign", "--as", side, "--deployment", desk).exit_code == 0
    done = again(desk)
    assert done.exit_code == 0, done.output
    return desk


@pytest.fixture
def desk(worked: Path, tmp_path: Path) -> Path:
    """A copy of it in a place of its own: the deployment moved with its state."""
    return Path(shutil.copytree(worked, tmp_path / "moved" / "desk"))


def use(desk: Path, runtime: str) -> None:
    """Work on tickets with that runtime."""
    file = desk / "settle.toml"
    file.write_text(re.sub("(?m)^runtime = .*", f'runtime = "{runtime}"', file.read_text()))


def test_a_deployment_is_moved_with_its_state(desk: Path, worked: Path) -> None:
    state = desk / ".settle"
    assert open_state(state).deployment == desk.resolve()
    before = command("outcomes", "--json", "--state", worked / ".settle").stdout
    assert command("outcomes", "--json", "--state", state).stdout == before
    assert again(desk).exit_code == 0
    assert command("outcomes", "--json", "--state", state).stdout == before
    assert finding("state", desk, state).ok


def test_a_state_elsewhere_says_where_its_deployment_was_and_what_to_do(desk: Path, tmp_path: Path) -> None:
    state = make_state(tmp_path / "state", desk).folder
    there = desk.rename(tmp_path / "renamed")
    for arguments in (("outcomes",), ("run", there / SAMPLES), ("report",)):
        result = command(*arguments, "--state", state)
        assert result.exit_code == 2
        assert all(words in result.stderr for words in (str(desk), "move it back", str(state / "state.json")))
    found = finding("state", desk, state)
    assert not found.ok
    assert str(desk) in found.detail
    assert command("doctor", "--state", state).exit_code == 1
    stopped = command("stop", "--state", state)
    assert (stopped.exit_code, "STOPPED" in stopped.stdout) == (0, True)
    (state / "state.json").write_text(json.dumps({"deployment": str(there), "demo": False}))
    assert command("outcomes", "--state", state).exit_code == 0


def test_the_doctor_notices_the_state_of_another_deployment(desk: Path, worked: Path) -> None:
    found = finding("state", desk, worked / ".settle")
    assert not found.ok
    assert str(worked) in found.detail


@pytest.mark.parametrize(("signer", "lost"), [("evaluator", True), ("evaluator", False), ("vendor", True)])
def test_nothing_is_worked_on_with_a_key_that_the_contract_does_not_name(desk: Path, signer: str, lost: bool) -> None:
    state = desk / ".settle"
    key = state / "keys" / f"{signer}.key"
    assert finding("keys", desk, state).ok
    kept = key.read_bytes()
    key.unlink()
    if not lost:
        open_state(state).key(signer)
    before = command("outcomes", "--json", "--state", state).stdout
    result = again(desk)
    assert result.exit_code == 2
    for words in (str(key), "is missing" if lost else "names", "restore the keys", "new version"):
        assert words in result.stderr
    found = finding("keys", desk, state)
    assert not found.ok
    assert "new version" in found.advice
    assert key.exists() is not lost
    assert command("outcomes", "--json", "--state", state).stdout == before
    key.write_bytes(kept)
    key.chmod(0o600)
    assert again(desk).exit_code == 0
    assert finding("keys", desk, state).ok


def test_a_new_version_of_the_contract_takes_a_new_key(desk: Path) -> None:
    (desk / ".settle" / "keys" / "evaluator.key").unlink()
    contract = desk / "contracts" / "desk.yaml"
    contract.write_text(contract.read_text().replace("version: 1\n", "version: 2\n"))
    for side in ("vendor", "customer"):
        assert command("contract", "sign", "--as", side, "--deployment", desk).exit_code == 0
    assert finding("keys", desk, desk / ".settle").ok
    assert again(desk).exit_code == 0


def test_a_key_that_is_none_is_no_traceback(desk: Path) -> None:
    (desk / ".settle" / "keys" / "evaluator.key").write_bytes(b"short")
    result = again(desk)
    assert result.exit_code == 2
    assert "no private key of 32 bytes" in result.stderr


def damage(file: Path, whole: bool) -> None:
    """Write over all of a database, or over all but its first page."""
    kept = b"" if whole else file.read_bytes()[:4096]
    file.write_bytes(kept + b"\x5a" * 60_000)
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)


@pytest.mark.parametrize("whole", [True, False])
def test_a_damaged_database_is_named(desk: Path, whole: bool) -> None:
    file = desk / ".settle" / "app.db"
    damage(file, whole)
    result = again(desk)
    assert result.exit_code == 2, result.output
    assert f"{file} is damaged" in result.stderr
    assert "backup" in result.stderr


def test_the_engines_database_is_private_and_its_damage_is_named(desk: Path) -> None:
    use(desk, "durable")
    state = desk / ".settle"
    assert settle("run", SAMPLES, "--no-browser", cwd=desk).returncode == 0
    found = [file for name in ("app.db", "engine.db") for file in state.glob(f"{name}*")]
    assert {file.name for file in found} >= {"app.db", "engine.db"}
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in found} == {file.name: 0o600 for file in found}
    damage(state / "engine.db", whole=True)
    done = settle("run", SAMPLES, "--no-browser", cwd=desk)
    assert done.returncode == 2
    assert f"{state / 'engine.db'} is damaged" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("empty", [True, False])
def test_an_app_database_that_is_gone_while_the_engine_remembers(desk: Path, empty: bool) -> None:
    use(desk, "durable")
    state = desk / ".settle"
    (state / "engine.db").write_bytes(b"what was worked on")
    for name in ("app.db", "app.db-wal", "app.db-shm"):
        (state / name).unlink(missing_ok=True)
    if empty:
        (state / "app.db").touch()
    for result in (again(desk), command("outcomes", "--state", state)):
        assert result.exit_code == 2
        assert "restore both" in result.stderr
        assert f"remove {state / 'engine.db'}" in result.stderr
    assert not finding("database", desk, state).ok
    (state / "engine.db").unlink()
    assert command("outcomes", "--state", state).exit_code == 0
