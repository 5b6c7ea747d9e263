"""The observer: looks at the system of record ahead of an effect, so that a change can be shown afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from agents.clock import Clock
from agents.effect import PendingEffect
from agents.evidence import Evidence, EvidenceStore
from evaluators.case import Subject
from evaluators.checks.standing import subject_problem
from evaluators.errors import RecordMissing, SubjectRefused
from evaluators.reading import Sources, keep_reading, read_subject
from evaluators.terms import OutcomeTerms


class Snapshot(BaseModel):
    """The subject's record as the evaluators read it ahead of one effect."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    key: str
    """The effect's idempotency key."""
    task_id: str
    subject: str
    evidence: Evidence
    """The `Reading` that was stored."""
    taken_at: datetime


class Snapshots(Protocol):
    """Keeps snapshots; the first one under (tenant, key) stands."""

    def keep(self, snapshot: Snapshot) -> Snapshot:
        """Store ``snapshot`` unless one stands under its key; returns the one that stands."""
        ...

    def of_task(self, tenant: str, task_id: str) -> tuple[Snapshot, ...]:
        """The task's snapshots, oldest first."""
        ...


class MemorySnapshots:
    """Snapshots for as long as the process lives."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Snapshot] = {}

    def keep(self, snapshot: Snapshot) -> Snapshot:
        """Store ``snapshot`` unless one stands under its key; returns the one that stands."""
        return self._kept.setdefault((snapshot.tenant, snapshot.key), snapshot)

    def of_task(self, tenant: str, task_id: str) -> tuple[Snapshot, ...]:
        """The task's snapshots, oldest first."""
        found = (each for each in self._kept.values() if (each.tenant, each.task_id) == (tenant, task_id))
        return tuple(sorted(found, key=lambda each: (each.taken_at, each.key)))


class Observer:
    """Implements `agents.effect.EffectObserver` with the evaluators' own sources."""

    def __init__(
        self,
        *,
        sources: Sources,
        terms_for: Callable[[str], OutcomeTerms | None],
        snapshots: Snapshots,
        evidence: EvidenceStore,
        clock: Clock,
    ) -> None:
        """``terms_for`` gives the terms of an outcome type in the contract, or None where the contract has none."""
        self._sources = sources
        self._terms_for = terms_for
        self._snapshots = snapshots
        self._evidence = evidence
        self._clock = clock

    async def before_effect(self, effect: PendingEffect) -> None:
        """Read the subject's record and keep it; the first snapshot under the effect's key stands.

        An outcome type that is not in the contract can never be billed: nothing is read for it.

        Raises:
            SourceUnavailable: the record could not be read.
            RecordMissing: there is no such record.
            SubjectRefused: the subject is not of the kind that the contract is about.
            UnknownSource: the contract reads from a source that is not set up.
        """
        terms = self._terms_for(effect.outcome_type)
        if terms is None:
            return
        problem = subject_problem(effect.subject, terms)
        subject = Subject.parse(effect.subject)
        if problem or subject is None:
            raise SubjectRefused(effect.subject, problem)
        reading = await read_subject(self._sources, self._clock, subject, terms)
        if reading.record is None:
            raise RecordMissing(terms.proof.source, subject.kind, subject.key)
        reading = reading.model_copy(update={"effect": effect.key})
        self._snapshots.keep(
            Snapshot(
                tenant=effect.tenant,
                key=effect.key,
                task_id=effect.task_id,
                subject=effect.subject,
                evidence=keep_reading(self._evidence, reading, label="before"),
                taken_at=reading.read_at,
            )
        )
