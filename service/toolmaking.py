"""A new tool in a deployment: a file that works, a test of it that passes, and its line in settle.toml."""

from __future__ import annotations

import keyword
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from service.declared_tools import BUILT_IN
from service.deployment import SETTINGS
from service.errors import NoDeployment, ToolNotMade

_TEMPLATES = Path(__file__).parent / "tool_templates"
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_PYTEST = "pytest.ini"
_PYTEST_SETTINGS = (_PYTEST, "pyproject.toml", "tox.ini", "setup.cfg")
"""Files in which pytest may find its settings already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTool:
    """What was written."""

    written: tuple[Path, ...]
    """Relative to the deployment."""
    to_add: str
    """What a person has to write into settle.toml; empty where it was added."""


def make_tool(folder: Path, name: str, effect: Literal["read", "write", "irreversible"]) -> NewTool:
    """Write ``tools/FILE.py`` and ``tests/test_FILE.py`` for the tool ``FILE.FUNCTION`` into the deployment.

    Nothing that exists is written over; only settle.toml is changed, by the lines that list the file and its setting.

    Raises:
        NoDeployment: there is no settle.toml in ``folder``, or it cannot be read.
        ToolNotMade: the name is none, or one of the files exists; nothing was written then.
    """
    settings = folder / SETTINGS
    if not settings.is_file():
        raise NoDeployment(f"{folder} has no {SETTINGS}; make a deployment with `settle init`, or name its folder")
    text = settings.read_text(encoding="utf-8")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NoDeployment(f"{settings} is not TOML ({error}); `settle lint` says more") from None
    file, function = _names(name)
    kind = "read" if effect == "read" else "effect"
    texts = {
        Path("tools", f"{file}.py"): f"{kind}.py.txt",
        Path("tests", f"test_{file}.py"): f"test_{kind}.py.txt",
    }
    if not any((folder / one).exists() for one in _PYTEST_SETTINGS):
        texts[Path(_PYTEST)] = f"{_PYTEST}.txt"
    standing = [str(path) for path in texts if (folder / path).exists()]
    if standing:
        raise ToolNotMade(f"{' and '.join(standing)} exist already, and nothing is written over; choose another name")
    for path, template in texts.items():
        made = (_TEMPLATES / template).read_text(encoding="utf-8")
        for word, meant in (("FILE", file), ("FUNCTION", function), ("EFFECT", effect)):
            made = made.replace(word, meant)
        (folder / path).parent.mkdir(exist_ok=True)
        with (folder / path).open("x", encoding="utf-8") as new:
            new.write(made)
    module, setting = f"tools/{file}.py", f"{file}_url"
    changed = _listed(text, module, setting)
    if not _says(changed, data, module, setting):
        to_add = f'modules = [..., "{module}"]  # in [tools]\n{setting} = "https://..."  # in [tools.settings]'
        return NewTool(written=tuple(texts), to_add=to_add)
    settings.write_text(changed, encoding="utf-8")
    return NewTool(written=(*texts, Path(SETTINGS)), to_add="")


def _names(name: str) -> tuple[str, str]:
    file, _, function = name.partition(".")
    if not _NAME.fullmatch(name) or keyword.iskeyword(file) or keyword.iskeyword(function):
        raise ToolNotMade(
            f"{name!r} is no name of a tool: write FILE.FUNCTION in lower-case letters, digits and _, "
            "for example vouchers.find"
        )
    if file in BUILT_IN:
        raise ToolNotMade(f"{file} is the name of Settle's own tools; choose another before the dot")
    return file, function


def _listed(text: str, module: str, setting: str) -> str:
    """``text`` with the module and its setting added, where the places for them are written as usual."""
    modules = re.search(r"(?m)^modules\s*=\s*\[([^\]]*)\]", text)
    if modules is None:
        return text
    before = modules.group(1).rstrip().rstrip(",")
    text = f'{text[: modules.start(1)]}{before}{", " if before.strip() else ""}"{module}"{text[modules.end(1) :]}'
    line = f'{setting} = "https://{setting.removesuffix("_url").replace("_", "-")}.example"  # where it really is\n'
    place = re.search(r"(?m)^\[tools\.settings\][^\n]*\n", text)
    if place is not None:
        return f"{text[: place.end()]}{line}{text[place.end() :]}"
    return f"{text.rstrip()}\n\n[tools.settings]\n{line}"


def _says(text: str, before: Mapping[str, Any], module: str, setting: str) -> bool:
    """True if ``text`` says what the settings said before, and the module and the setting, and nothing else."""
    try:
        now = tomllib.loads(text)
        tools = before["tools"]
        settings = {**tools.get("settings", {}), setting: now["tools"]["settings"][setting]}
        wanted = {**before, "tools": {**tools, "modules": [*tools["modules"], module], "settings": settings}}
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return False
    return now == wanted
