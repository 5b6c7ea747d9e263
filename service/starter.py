"""A new deployment: the starter example under a name of its own, with keys and secrets made for it."""

from __future__ import annotations

import re
from pathlib import Path

from service.deployment import SETTINGS, STATE, State, make_state
from service.errors import FolderInUse
from service.packages import example
from service.settings import load_settings

SAMPLES = "sample-tickets.jsonl"
"""The file of tickets that a new deployment resolves as it stands."""
_TEMPLATE = "starter"
"""The example's name; wherever the word stands in its files, the new deployment's name takes its place."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_VENDOR = "vendor"
"""What the example's contract calls the other side."""
_NOT_OURS = {STATE, "__pycache__"}


def deployment_name(text: str) -> str | None:
    """``text`` as the name of a deployment: lower-case letters, digits and ``-``; None if too little is left of it."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name if _NAME.fullmatch(name) and name != _VENDOR else None


def make_deployment(folder: Path, name: str) -> State:
    """Make ``folder`` a deployment called ``name``, as `deployment_name` gives it; returns its state.

    Raises:
        FolderInUse: the folder is not empty, or is no folder, or cannot be made; nothing was changed then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FolderInUse(f"{folder} is not empty; name a folder that is empty or not there yet")
        _write_files(folder, name)
        state = make_state(folder / STATE, folder)
    except FileExistsError:
        raise FolderInUse(f"{folder} is a file; name a folder that is empty or not there yet") from None
    except OSError as error:
        raise FolderInUse(f"{folder} cannot be made: {error.strerror}; name another folder") from None
    settings = load_settings(folder / SETTINGS)
    for signer in ("vendor", "evaluator"):
        state.key(signer)
    for secret in settings.secrets.generate:
        state.secrets(settings).get(secret)
    return state


def _write_files(folder: Path, name: str) -> None:
    template = example(_TEMPLATE)
    for source in sorted(template.rglob("*")):
        place = source.relative_to(template)
        if source.is_dir() or _NOT_OURS & set(place.parts):
            continue
        target = folder / _named(str(place), name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:  # never over what is there
            file.write(_named(source.read_text(encoding="utf-8"), name))


def _named(text: str, name: str) -> str:
    return re.sub(rf"\b{_TEMPLATE}\b", name, text)
