"""What people answer when a call needs their approval: yes, yes with other arguments, no, or somebody else."""

from __future__ import annotations

from pydantic import JsonValue
from sqlmodel import Session

from agents import tables
from agents.call import APPROVAL_LIFETIME
from agents.clock import Clock
from agents.errors import ToolFailed
from agents.policy.approval import Approval, ApprovalState
from agents.tools import Toolbox
from service.database import Database
from service.errors import AnswerRefused


class Approvals:
    """Takes the answers of one tenant's people. An answer stands once it is given."""

    def __init__(self, *, tenant: str, database: Database, toolbox: Toolbox, clock: Clock) -> None:
        self._tenant = tenant
        self._database = database
        self._toolbox = toolbox
        self._clock = clock

    def answer(
        self, approval_id: str, *, approved: bool, by: str, note: str = "", modified_args: dict[str, JsonValue] | None
    ) -> tuple[Approval, bool]:
        """The approval as it stands after the answer of ``by``, and whether it was this answer that counts.

        Args:
            modified_args: the arguments that the call is to have instead; a yes to these alone.

        Raises:
            LookupError: there is no such approval.
            AnswerRefused: ``by`` passed it on before, or the arguments do not fit the tool.
        """
        with self._database.transaction() as session:
            approval = self._approval(session, approval_id)
            if approval.state is not ApprovalState.PENDING:
                return approval, False
            self._refuse_second_voice(approval, by)
            if modified_args is not None:
                self._refuse_unfit(approval, modified_args)
            state = ApprovalState.APPROVED if approved else ApprovalState.REJECTED
            changes = {"state": state, "decided_by": by, "note": note, "modified_args": modified_args}
            approval = approval.model_copy(update=changes)
            tables.save_approval(session, approval)
        return approval, True

    def escalate(self, approval_id: str, *, by: str, to: str, note: str = "") -> Approval:
        """``by`` will not decide and names somebody else, who has as much time as there was at first.

        Raises:
            LookupError: there is no such approval.
            AnswerRefused: it was answered, or passed on by the same person before.
        """
        with self._database.transaction() as session:
            approval = self._approval(session, approval_id)
            if approval.state is not ApprovalState.PENDING:
                raise AnswerRefused(f"{approval_id} was answered by {approval.decided_by}: {approval.state.value}")
            self._refuse_second_voice(approval, by)
            changes = {
                "passed_on_by": (*approval.passed_on_by, by),
                "passed_on_to": to,
                "note": note,
                "expires_at": self._clock.now() + APPROVAL_LIFETIME,
            }
            approval = approval.model_copy(update=changes)
            tables.save_approval(session, approval)
        return approval

    def _approval(self, session: Session, approval_id: str) -> Approval:
        approval = tables.approval_of(session, self._tenant, approval_id)
        if approval is None:
            raise LookupError(f"no approval {approval_id}")
        return approval

    def _refuse_second_voice(self, approval: Approval, by: str) -> None:
        if by.casefold() in {name.casefold() for name in approval.passed_on_by}:
            raise AnswerRefused(f"{by} passed {approval.id} on; somebody else answers it")

    def _refuse_unfit(self, approval: Approval, args: dict[str, JsonValue]) -> None:
        tool = self._toolbox.get(approval.tool)
        if tool is None:
            raise AnswerRefused(f"there is no tool {approval.tool} any more")
        if args.keys() != approval.args.keys():
            raise AnswerRefused(f"{approval.tool} was to get {', '.join(sorted(approval.args))}: change values only")
        try:
            tool.check_args(args)
        except ToolFailed as error:
            raise AnswerRefused(str(error)) from None
