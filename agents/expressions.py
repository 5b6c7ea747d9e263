"""Expressions: CEL that answers yes or no about plain data, and nothing else.

No value ever leaves an expression, only a bool: CEL turns Decimals into floats and fails on missing data. Money enters
as whole minor units. An error is *undetermined* (`ExpressionError`), never a no.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import cel

from agents.canonical import plain
from agents.errors import ExpressionError

MAX_SOURCE = 500
"""Characters in one expression."""
MAX_LIST = 2_000
"""Items in any list that an expression sees."""

_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_CHAIN = re.compile(r"(?<![\w.])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*(?![\w]*\())*)")
_MACRO_VARIABLE = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(\s*(\w+)\s*,")


class Expression:
    """One compiled expression."""

    def __init__(self, source: str) -> None:
        """Compile ``source``; `ExpressionError` if it is too long or not CEL."""
        if len(source) > MAX_SOURCE:
            raise ExpressionError(source[:60] + "…", f"longer than {MAX_SOURCE} characters")
        try:
            self._program = cel.compile(source)
        except Exception as error:
            raise ExpressionError(source, f"not an expression: {str(error).splitlines()[0]}") from None
        self.source = source
        self.names: frozenset[str] = frozenset(self._program.variables()) - frozenset(_MACRO_VARIABLE.findall(source))
        """The top-level names it reads, for example ``order`` and ``inputs``."""
        chains = {tuple(chain.split(".")) for chain in _CHAIN.findall(_TEXT.sub("''", source))}
        hidden = self.names - {chain[0] for chain in chains}
        self.paths: frozenset[tuple[str, ...]] = frozenset(
            {chain for chain in chains if chain[0] in self.names} | {(name,) for name in hidden}
        )
        """The plain paths by which it reads them, without the names of methods: ``("order", "status")``."""

    def __call__(self, values: Mapping[str, Any]) -> bool:
        """Yes or no on ``values``.

        Raises:
            ExpressionError: the expression is undetermined here: a missing field, a wrong type, or no bool.
        """
        missing = self.names - values.keys()
        if missing:
            raise ExpressionError(self.source, f"nothing here is called {', '.join(sorted(missing))}")
        try:
            visible = {name: _bounded(plain(values[name]), self.source) for name in self.names}
        except TypeError as error:
            raise ExpressionError(self.source, f"undetermined: {error}") from None
        try:
            answer = self._program.execute(visible)
        except Exception as error:
            raise ExpressionError(self.source, f"undetermined: {type(error).__name__}: {error}") from None
        if not isinstance(answer, bool):
            raise ExpressionError(self.source, f"answers {type(answer).__name__}, not yes or no")
        return answer


def _bounded(value: Any, source: str) -> Any:
    if isinstance(value, list):
        if len(value) > MAX_LIST:
            raise ExpressionError(source, f"a list of {len(value)} items; at most {MAX_LIST} are looked at")
        return [_bounded(item, source) for item in value]
    if isinstance(value, dict):
        return {key: _bounded(item, source) for key, item in value.items()}
    return value
