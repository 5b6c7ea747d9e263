"""What an outcome must show to pass: the part of a contract that evaluators test. Prices are none of their business."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from agents.errors import ExpressionError, PathError
from agents.expressions import Expression
from agents.paths import parse_path
from evaluators.verdict import EvidenceClass

REQUESTER_NAME = "${requester_name}"
"""Stands in a line of a contract's frame for what replies call the requester."""
VISIBLE = frozenset({"before", "after", "task", "claim", "receipt", "subject"})
"""The names that a proof may read."""


def _compiled(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    try:
        expression = Expression(str(value))
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    unknown = expression.names - VISIBLE
    if unknown:
        raise ValueError(f"a proof sees only {', '.join(sorted(VISIBLE))}; not {', '.join(sorted(unknown))}")
    return expression


ProofExpression = Annotated[
    Expression,
    BeforeValidator(_compiled),
    PlainSerializer(lambda expression: expression.source, return_type=str),
]


def _value_path(value: Any) -> str:
    try:
        path = parse_path(str(value))
    except PathError as error:
        raise ValueError(str(error)) from None
    if path[0] not in ("before", "after") or len(path) < 2 or not all(isinstance(part, str) for part in path):
        raise ValueError(f"write where the record holds the value, such as after.kept_minor; found {value!r}")
    return str(value)


ValuePath = Annotated[str, BeforeValidator(_value_path)]
"""Where a record holds an amount: ``after.kept_minor``. Whole minor units of the currency that the field ``currency``
beside it names."""


class ProofTerms(BaseModel):
    """How the system of record shows that an outcome is real."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    read: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")]
    """The evaluators' own source and what to read there: ``acme_back_office.order``."""
    belongs_to: ProofExpression
    """The record is the requester's."""
    became: ProofExpression | None = None
    """For effects: before and after differ as promised."""
    by: ProofExpression | None = None
    """For effects: this run made the change."""
    holds: ProofExpression | None = None
    """For outcomes that change nothing: the condition on the record that makes the answer right."""

    @property
    def source(self) -> str:
        """The name of the source in ``read``: ``acme_back_office``."""
        return self.read.partition(".")[0]

    @property
    def kind(self) -> str:
        """The kind of record in ``read``: ``order``."""
        return self.read.partition(".")[2]


class OutcomeTerms(BaseModel):
    """What one type of outcome means and what a Claim of it must pass."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    means: str
    subject: str
    """The kind of record the outcome is about: ``order``."""
    evidence_class: Annotated[Literal[EvidenceClass.EFFECT_VERIFIED, EvidenceClass.GROUNDED], Field(alias="class")]
    asked: tuple[str, ...]
    """Lower-case phrases; the requester's own words must contain one of them."""
    proof: ProofTerms
    frame: tuple[Annotated[str, Field(max_length=500, pattern=r"^[^\n]+$")], ...] = ()
    """Makes it an answer from articles: the lines that a reply may hold beside its quotes, ``${requester_name}`` in
    them for what the requester is called. Such a proof reads articles, and is told by their citations."""
    requires: tuple[Literal["proof", "asked_for", "reply_ok"], ...]

    @property
    def worth(self) -> ValuePath | None:
        """Where the record says what this outcome is worth; None where nobody needs to know."""
        return None

    @model_validator(mode="after")
    def _complete(self) -> OutcomeTerms:
        if "proof" not in self.requires:
            raise ValueError("requires must name proof: nothing is billed without one")
        effect = self.evidence_class is EvidenceClass.EFFECT_VERIFIED
        if effect and (self.proof.became is None or self.proof.by is None):
            raise ValueError(
                "an effect_verified outcome needs proof.became (what changed) and proof.by (this run did it)"
            )
        if effect and "asked_for" not in self.requires:
            raise ValueError("an effect_verified outcome must require asked_for: an unwanted effect is not a service")
        if not effect and self.proof.holds is None:
            raise ValueError("a grounded outcome needs proof.holds: the condition that makes the answer right")
        if not effect and self.worth is not None and self.worth.startswith("before."):
            raise ValueError("a grounded outcome has no record from before; its value is read from after.")
        if effect and self.frame:
            raise ValueError("frame is for answers that quote articles; an effect_verified outcome has none")
        if "asked_for" in self.requires and not self.asked:
            raise ValueError("asked_for needs at least one phrase in asked")
        return self
