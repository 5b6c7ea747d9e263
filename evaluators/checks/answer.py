"""How a check answers: its name and version once, then passed, failed or undetermined with a code and a reason."""

from __future__ import annotations

from dataclasses import dataclass

from agents.evidence import Evidence
from evaluators.verdict import CheckResult, Finding

MAX_REASON = 1_000
"""Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check's name; a change of what it tests is a new number."""

    name: str
    number: int

    @property
    def version(self) -> str:
        """``effect/1``"""
        return f"{self.name}/{self.number}"

    def passed(self, reason: str, evidence: tuple[Evidence, ...] = ()) -> CheckResult:
        """The claim stands this test; the code is ``ok``."""
        return self.result(Finding.PASSED, "ok", reason, evidence)

    def failed(self, code: str, reason: str) -> CheckResult:
        """The claim does not stand this test."""
        return self.result(Finding.FAILED, code, reason)

    def undetermined(self, code: str, reason: str) -> CheckResult:
        """Nobody can say; never a pass."""
        return self.result(Finding.UNDETERMINED, code, reason)

    def result(self, finding: Finding, code: str, reason: str, evidence: tuple[Evidence, ...] = ()) -> CheckResult:
        """Any answer. Reasons are cut to `MAX_REASON`; characters that no encoding knows are written as escapes."""
        reason = reason.encode("utf-8", "backslashreplace").decode("utf-8")
        if len(reason) > MAX_REASON:
            reason = reason[: MAX_REASON - 1] + "…"
        return CheckResult(
            check=self.name, version=self.version, finding=finding, code=code, reason=reason, evidence=evidence
        )
