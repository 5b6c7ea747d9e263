"""What an outcome is worth, as the system of record says: never as the claim, a receipt or a reply says."""

from __future__ import annotations

from pydantic import JsonValue, ValidationError

from agents.money import Money
from agents.paths import parse_path
from evaluators.case import Case
from evaluators.checks.answer import Check
from evaluators.terms import OutcomeTerms
from evaluators.verdict import CheckResult

VALUE = Check(name="value", number=1)

MAX_VALUE = 10**15
"""Minor units; more is a fault of the record."""


def value(case: Case, terms: OutcomeTerms) -> CheckResult:
    """Test that the record says what the outcome is worth: whole minor units, more than none, in a named currency.

    Codes: ``no_value`` (it is zero); ``value_unclear`` is a finding of its own: there is no such field, it is no whole
    number, it is negative, or no currency stands beside it.
    """
    found, problem = _read(case, terms)
    if found is None:
        return VALUE.undetermined("value_unclear", problem)
    if found.minor == 0:
        return VALUE.failed("no_value", f"{terms.worth} is 0: nothing that could be shared")
    return VALUE.passed(f"{terms.worth} is {found}")


def measured(case: Case, terms: OutcomeTerms) -> Money | None:
    """The amount that `value` found; None where it found none."""
    return _read(case, terms)[0]


def _read(case: Case, terms: OutcomeTerms) -> tuple[Money | None, str]:
    """The amount, or why there is none."""
    if terms.worth is None:
        return None, "the contract does not say where the record holds a value"
    root, *between, last = map(str, parse_path(terms.worth))
    holder: JsonValue = case.before if root == "before" else case.after
    for part in between:
        holder = holder.get(part) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or last not in holder:
        return None, f"the record has no {terms.worth}"
    minor = holder[last]
    if not isinstance(minor, int) or isinstance(minor, bool) or not 0 <= minor <= MAX_VALUE:
        return None, f"{terms.worth} is {str(minor)[:80]!r}: not whole minor units of zero or more"
    try:
        return Money.model_validate({"minor": minor, "currency": holder.get("currency")}), ""
    except ValidationError:
        return None, f"no currency such as CNY stands beside {terms.worth}"
