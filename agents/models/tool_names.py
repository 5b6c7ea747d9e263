"""Names of tools as models see them: providers refuse the dot in ``shop.find_orders``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agents.errors import InvalidTool

_SHOWN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ToolNames:
    """The names of the tools of one request, there and back."""

    def __init__(self, tools: Iterable[str]) -> None:
        """`InvalidTool` if two tools would look the same, or one has a name that no provider takes."""
        self._meant: dict[str, str] = {}
        for tool in tools:
            shown = self.shown(tool)
            if not _SHOWN.fullmatch(shown):
                raise InvalidTool(tool, "models take names of up to 64 letters, digits, _, - and .")
            other = self._meant.setdefault(shown, tool)
            if other != tool:
                raise InvalidTool(tool, f"models would not tell it from {other}; rename one")

    def shown(self, tool: str) -> str:
        """As a model sees it: ``shop__find_orders``."""
        return tool.replace(".", "__")

    def meant(self, shown: str) -> str | None:
        """The tool that a model means; None if there is no such tool."""
        return self._meant.get(shown)
