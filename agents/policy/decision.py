"""The one decision: may this call execute? Pure and total; what is not clearly allowed is denied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import JsonValue

from agents.canonical import fingerprint
from agents.policy.approval import Approval
from agents.policy.grant import Autonomy, Grant, Hole, Source
from agents.policy.labels import STAFF, UNTRUSTED, Integrity, Label
from agents.policy.links import leads_elsewhere
from agents.receipt import Effect
from agents.tools.tool import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that a step wants to make, with literal arguments."""

    tenant: str
    run_id: str
    step: str
    """The step of the plan whose room the call takes."""
    tool: str
    args: Mapping[str, JsonValue]
    sources: Mapping[str, Source]
    """Where each argument came from."""
    at: datetime
    calls_of_step: int
    """Calls of this tool that the step has made already in this job."""
    calls_of_run: int
    """Calls all steps have made already in this job."""
    approval_required: bool = False
    """The procedure's ``approve`` condition holds."""
    by_model: bool = False
    """A model decided that the call is made, and no condition of the procedure says otherwise."""
    approval: Approval | None = None
    """A person's answer, if one was given for this step."""

    @property
    def args_sha256(self) -> str:
        """Fingerprint of the literal arguments."""
        return fingerprint(self.args)


@dataclass(frozen=True, slots=True)
class Allow:
    """The call may execute now."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The call does not execute."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """The call executes only after a person has seen these literal arguments and said yes."""

    reason: str


Decision = Allow | Deny | NeedsApproval


def decide(call: Call, labels: Mapping[str, Label], grant: Grant, tool: Tool | None) -> Decision:
    """Decide on one call.

    Args:
        call: the call with its literal arguments.
        labels: the label of each argument; an argument without one is untrusted.
        grant: what the run's plan allows.
        tool: the tool as registered, or None if there is no such tool.
    """
    if tool is None or tool.name != call.tool:
        return Deny("unknown_tool", f"there is no tool {call.tool}")
    if (call.tenant, call.run_id) != (grant.tenant, grant.run_id):
        return Deny("foreign_grant", "the grant is another run's")
    if call.at.tzinfo is None or grant.expires_at.tzinfo is None or call.at >= grant.expires_at:
        return Deny("grant_expired", f"the grant ended at {grant.expires_at.isoformat()}")
    slot = grant.slot(call.step, call.tool)
    if slot is None:
        return Deny("not_granted", f"the plan does not let step {call.step} call {call.tool}")
    if call.calls_of_step >= slot.max_calls or call.calls_of_run >= grant.max_calls:
        return Deny(
            "calls_used_up", f"step {call.step} has used its {slot.max_calls} calls, or the run its {grant.max_calls}"
        )
    approved = call.approval is not None and _covers(call, call.approval)
    rewritten = approved and call.approval is not None and call.approval.modified_args is not None
    misfit = slot.misfit(call.args, call.sources, values=not rewritten)
    if misfit:
        return Deny("unplanned_argument", f"step {call.step} may not fill {misfit} of {call.tool} like this")
    for name in sorted(tool.addresses & call.args.keys()):
        if _host(call.args[name]) not in grant.hosts:
            return Deny("host_not_granted", f"{name} of {tool.name} leads to a host that this run may not address")
    linked = _linked(call, grant) if tool.told != "staff" else []
    if linked:
        return Deny("foreign_address", f"{', '.join(linked)} of {tool.name} names a web address of a host not granted")
    hidden = _hidden(call, labels, grant, tool)
    secret = [name for name in hidden if not labels.get(name, UNTRUSTED).readers]
    if secret:
        return Deny("secret_argument", f"{', '.join(secret)} of {tool.name} holds what nobody may be told")
    if tool.effect is not Effect.READ:
        return _decide_effect(call, labels, grant, tool, hidden, approved=approved)
    if hidden:
        return Deny("not_for_reader", f"{tool.name} would show {', '.join(hidden)} to people it is not for")
    return Allow()


def _host(address: JsonValue) -> str:
    """The host that an address names, in lower case; empty for what is no address."""
    try:
        return (urlsplit(address).hostname or "") if isinstance(address, str) else ""
    except ValueError:
        return ""


def _linked(call: Call, grant: Grant) -> list[str]:
    """The arguments in which a model wrote a web address of a host that is not granted."""
    written = (name for name, source in sorted(call.sources.items()) if isinstance(source, Hole) and not source.one_of)
    return [name for name in written if name in call.args and leads_elsewhere(call.args[name], grant.hosts)]


def _hidden(call: Call, labels: Mapping[str, Label], grant: Grant, tool: Tool) -> list[str]:
    """The arguments that whoever the tool tells may not be told."""
    reader = {"staff": STAFF, "requester": grant.requester_email, "anyone": None}[tool.told]
    return sorted(name for name in call.args if not labels.get(name, UNTRUSTED).for_eyes_of(reader))


def _decide_effect(
    call: Call, labels: Mapping[str, Label], grant: Grant, tool: Tool, hidden: Sequence[str], *, approved: bool
) -> Decision:
    untrusted = []
    for name in sorted(tool.sinks & call.args.keys()):
        label = labels.get(name)
        if label is not None and label.owner is not None and label.owner != grant.requester_email:
            return Deny("not_the_requesters", f"{name} belongs to another customer's record")
        if label is None or label.integrity < Integrity.DIRECTORY:
            untrusted.append(name)
    asks = _who_asks(call, grant)
    if not untrusted and not hidden and not asks:
        return Allow()
    if approved:
        return Allow()
    if hidden:
        return NeedsApproval(f"{', '.join(hidden)} of {tool.name} is not meant for those who would be told")
    if untrusted:
        return NeedsApproval(f"{', '.join(untrusted)} of {tool.name} comes from words that nobody vouches for")
    return NeedsApproval(f"{asks} before {tool.name}")


def _who_asks(call: Call, grant: Grant) -> str:
    """Who wants a person's yes before the effect; empty if nobody does."""
    if call.approval_required:
        return "the procedure asks for a person's approval"
    if grant.autonomy is Autonomy.COPILOT:
        return "a copilot only drafts: a person decides"
    if call.by_model and grant.autonomy is not Autonomy.COWORKER:
        return "a model decided on it: a person is asked"
    return ""


def _covers(call: Call, approval: Approval) -> bool:
    """True if the approval is a yes to exactly this call; arguments without a fingerprint are covered by nothing."""
    if approval.expires_at.tzinfo is None:
        return False
    try:
        return approval.covers(tool=call.tool, args_sha256=call.args_sha256, at=call.at)
    except TypeError:
        return False
