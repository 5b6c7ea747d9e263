"""What can go wrong while a claim is verified. A failed claim is a Verdict, never one of these.

EvaluatorsError
├── SourceUnavailable    the system of record gave no usable answer: nobody knows what it holds
├── UnknownSource        the contract reads from a source, or a kind of record, that is not set up here
├── SubjectRefused       an effect's subject is not of the kind that its contract is about
├── RecordMissing        there is no record to take a snapshot of
└── UnusableKey          a file that should hold a signing key holds none
"""

from __future__ import annotations

from agents.documents import nearest


class EvaluatorsError(Exception):
    """The root of this package's errors."""


class SourceUnavailable(EvaluatorsError):
    """The source could not be read; try again later, or do what the message says."""

    def __init__(self, source: str, message: str) -> None:
        self.source = source
        super().__init__(f"source {source}: {message}")


class UnknownSource(EvaluatorsError):
    """No source, or no kind of record within a source, has the ``name`` that a contract uses."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(
            f"contracts read {name!r}, which is not set up for the evaluators; {nearest(name, known)}. "
            "Correct proof.read in the contract, or add the source to the evaluators' settings."
        )


class SubjectRefused(EvaluatorsError):
    """The effect is about ``subject``, and its contract about another kind of record (or it is no subject at all)."""

    def __init__(self, subject: str, message: str) -> None:
        self.subject = subject
        super().__init__(f"subject {subject[:80]!r}: {message}")


class RecordMissing(EvaluatorsError):
    """The system of record has no such record, so nothing can be compared with it later."""

    def __init__(self, source: str, kind: str, key: str) -> None:
        self.source = source
        self.kind = kind
        self.key = key
        super().__init__(f"source {source} has no {kind} {key!r}; the effect cannot be proven and is not made")


class UnusableKey(EvaluatorsError):
    """The file ``path`` should hold a private key and does not."""

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(f"{path} is no private key of 32 bytes ({message}); restore it from a backup")
