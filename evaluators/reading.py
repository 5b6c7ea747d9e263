"""Reading a subject's record from the evaluators' own source, and keeping what was read as evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, JsonValue

from agents.clock import Clock
from agents.evidence import Evidence, EvidenceStore, put_json
from evaluators.case import Subject
from evaluators.errors import UnknownSource
from evaluators.sources.source import SystemOfRecord
from evaluators.terms import OutcomeTerms

Sources = Mapping[str, SystemOfRecord]
"""The evaluators' sources by the name that contracts use."""


class Reading(BaseModel):
    """One look at a system of record: the JSON behind a Verdict's ``before`` and ``after``."""

    model_config = ConfigDict(frozen=True)

    subject: str
    record: dict[str, JsonValue] | None
    """None when there is no such record, or when it could not be read."""
    read_at: datetime
    effect: str = ""
    """Key of the effect ahead of which this was read; empty after a claim."""
    unavailable: str = ""
    """Why it could not be read; empty when it was."""


async def read_subject(sources: Sources, clock: Clock, subject: Subject, terms: OutcomeTerms) -> Reading:
    """Read the record afresh, as the contract's proof says where.

    Raises:
        SourceUnavailable: it could not be read.
        UnknownSource: the contract reads from a source, or a kind of record, that is not set up.
    """
    source = sources.get(terms.proof.source)
    if source is None:
        raise UnknownSource(terms.proof.source, tuple(sorted(sources)))
    record = await source.read(terms.proof.kind, subject.key)
    return Reading(subject=str(subject), record=record, read_at=clock.now())


def keep_reading(store: EvidenceStore, reading: Reading, *, label: str) -> Evidence:
    """Store ``reading`` as canonical JSON."""
    return put_json(store, reading, label=label)


def kept_reading(store: EvidenceStore, evidence: Evidence) -> Reading:
    """The reading behind ``evidence``; `EvidenceMissing` if the blob is absent or was altered."""
    return Reading.model_validate(kept_json(store, evidence))


def kept_json(store: EvidenceStore, evidence: Evidence) -> JsonValue:
    """The JSON behind ``evidence``; `EvidenceMissing` if the blob is absent or was altered."""
    value: JsonValue = json.loads(store.get(evidence.sha256).decode("utf-8", "surrogatepass"))
    return value
