"""Passages by meaning, with small local embeddings (`agents.embedding`). Optional, a setting of the deployment.

The vectors live in memory, 1 kB a passage, and are made when the index is opened or has changed; nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agents.knowledge.index import Reader, View

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, np.dtype[np.float32]]

Embed = Callable[[Sequence[str]], "Matrix"]
"""Texts to a matrix of one row each, every row of length 1."""

MAX_READERS = 64
"""Readers (groups, language and day) whose passages are remembered."""
RELEVANT = 0.55
"""Cosine from which on a passage counts as being about the question."""


class Embedded:
    """A `Meanings`: every passage of an index as a vector."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._lock = threading.Lock()
        self._generation = ""
        self._numbers: Any = None
        self._vectors: Any = None
        self._allowed: dict[Reader, Any] = {}
        """By reader: where their passages are in ``_numbers``; of the newest `MAX_READERS`."""

    def closest(self, question: str, view: View, reader: Reader, limit: int) -> Mapping[int, float]:
        """The passages for ``reader`` closest to ``question``; their relevance is 0 below `RELEVANT`."""
        import numpy as np

        with self._lock:
            self._remember(view)
            numbers, vectors, allowed = self._numbers, self._vectors, self._open_to(view, reader)
        if not len(allowed):
            return {}
        cosines = (vectors @ self._embed([question])[0])[allowed]
        best = np.argpartition(-cosines, min(limit, len(cosines)) - 1)[:limit]
        best = best[np.lexsort((best, -cosines[best]))]
        return {
            int(numbers[allowed[place]]): float(cosines[place]) if cosines[place] >= RELEVANT else 0.0 for place in best
        }

    def prepare(self, view: View) -> None:
        """Make the vectors of the passages in ``view``."""
        with self._lock:
            self._remember(view)

    def _remember(self, view: View) -> None:
        import numpy as np

        if self._generation == view.generation:
            return
        passages = view.passages()
        texts = [f"{one.title}. {one.statement.quote}" for one in passages.values()]
        self._numbers = np.fromiter(passages, dtype=np.int64, count=len(passages))
        self._vectors = self._embed(texts) if texts else np.zeros((0, 1), dtype=np.float32)
        self._allowed.clear()
        self._generation = view.generation

    def _open_to(self, view: View, reader: Reader) -> Any:
        """Where the passages for ``reader`` are among all."""
        import numpy as np

        if reader not in self._allowed:
            if len(self._allowed) >= MAX_READERS:
                self._allowed.clear()
            self._allowed[reader] = np.searchsorted(self._numbers, np.asarray(view.open_to(reader), dtype=np.int64))
        return self._allowed[reader]
