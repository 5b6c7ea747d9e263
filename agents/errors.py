"""What can go wrong while a task is worked on.

AgentsError
├── InvalidDocument      a file a person wrote cannot be used: file, line, field, what was expected
├── InvalidTool          a tool's declaration is incomplete or contradicts itself
├── PathError            a ``${...}`` path leads nowhere in the values at hand
├── ExpressionError      an expression cannot be compiled, or has no yes-or-no answer
├── ToolFailed           a tool ran and did not succeed: nothing was changed by it
│   └── AddressRefused   nothing is sent to that address
├── ToolOutcomeUnknown   a tool may or may not have had its effect (a timeout, a lost reply)
├── BrowserUnavailable   no usable Chromium on this machine
├── EmbeddingsUnavailable  the word vectors of the package wordllama are not here
├── EvidenceMissing      no blob, or an altered one, under that sha256
├── TicketNotFound       the helpdesk has no such ticket
├── AttachmentMissing    a ticket has no such attachment
├── ModelFailed          a model gave no answer that can be used: code, retryable, retry_after
└── HelpdeskUnavailable  the helpdesk did not answer, or answered with what nobody can use
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AgentsError(Exception):
    """The root of this package's errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a document, precise enough to be fixed without reading code."""

    file: str
    line: int | None
    """Counted from 1; None where the file has no lines (it is missing, or not text)."""
    field: str
    """Dotted path, for example ``steps[2].args.amount``; empty for the document itself."""
    message: str
    """What was found and what was expected, with the nearest known name where one exists."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.field + ': ' if self.field else ''}{self.message}"


class InvalidDocument(AgentsError):
    """A document was refused as a whole; ``problems`` lists everything wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidTool(AgentsError):
    """A tool's declaration is refused when it is registered, before anything runs."""

    def __init__(self, tool: str, message: str) -> None:
        self.tool = tool
        super().__init__(f"tool {tool}: {message}")


class PathError(AgentsError):
    """A path such as ``order.items[0].id`` does not resolve; ``path`` and ``at`` say where."""

    def __init__(self, path: str, at: str, message: str) -> None:
        self.path = path
        self.at = at
        super().__init__(f"${{{path}}}: {message}")


class ExpressionError(AgentsError):
    """An expression is malformed, too large, names something unknown, or is undetermined on these values."""

    def __init__(self, source: str, message: str) -> None:
        self.source = source
        super().__init__(f"`{source}`: {message}")


class ToolFailed(AgentsError):
    """Raised by tools (and by the executor for them): the call did not succeed and changed nothing."""

    def __init__(self, message: str, *, code: str = "tool_failed", retryable: bool = False) -> None:
        self.code = code
        self.retryable = retryable
        super().__init__(message)


class AddressRefused(ToolFailed):
    """Nothing is sent to ``host`` (empty where there is none); the message says why."""

    def __init__(self, host: str, why: str) -> None:
        self.host = host
        super().__init__(f"{host}: {why}" if host else why, code="address_refused")


class ToolOutcomeUnknown(AgentsError):
    """The call was made and nobody knows whether it took effect; it is looked up, never repeated blindly."""


class BrowserUnavailable(AgentsError):
    """No Chromium could be started; the message says how to get one."""


class EmbeddingsUnavailable(AgentsError):
    """The word vectors cannot be loaded; the message says what to install."""


class EvidenceMissing(AgentsError):
    """The evidence store has no intact blob under ``sha256``."""

    def __init__(self, sha256: str, message: str) -> None:
        self.sha256 = sha256
        super().__init__(f"evidence {sha256}: {message}")


class TicketNotFound(AgentsError):
    """The helpdesk has no ticket ``ticket_id`` that this tenant may see."""

    def __init__(self, ticket_id: str) -> None:
        self.ticket_id = ticket_id
        super().__init__(f"no ticket {ticket_id}")


class AttachmentMissing(AgentsError):
    """Ticket ``ticket_id`` has no attachment ``attachment_id``."""

    def __init__(self, ticket_id: str, attachment_id: str) -> None:
        self.ticket_id = ticket_id
        self.attachment_id = attachment_id
        super().__init__(f"ticket {ticket_id} has no attachment {attachment_id}")


class HelpdeskUnavailable(AgentsError):
    """The helpdesk could not be reached, or its answer cannot be used; ``retry_after`` seconds, if it said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ModelFailed(AgentsError):
    """A model gave no usable answer.

    ``code`` is one of ``rate_limited``, ``overloaded``, ``unavailable``, ``timeout``, ``invalid_request``,
    ``not_allowed`` (the key), ``refused``, ``overflow``, ``malformed`` and ``budget``. ``retryable``: the same request
    may succeed later; ``retry_after`` seconds, where the provider said so. ``may_have_cost``: the provider may have
    worked on the answer that never came, and bills that.
    """

    def __init__(
        self,
        model: str,
        message: str,
        *,
        code: str,
        retryable: bool = False,
        retry_after: float | None = None,
        may_have_cost: bool = False,
    ) -> None:
        self.model = model
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.may_have_cost = may_have_cost
        super().__init__(f"{model}: {message}")
