"""What the tests of agents share: a small shop, a procedure, and a desk that runs jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from agents import End, ManualClock, MemoryEvidenceStore, Money, PendingEffect, Tool, ToolContext, Work, tool
from agents.planner import Replies
from agents.policy.approval import Approval, ApprovalState
from agents.runtime import InlineRuntime
from agents.testing import NOW, MemoryHelpdesk, Workbench

REFUND = """\
procedure: refund
version: 3
outcome: refund_issued
triggers: {like: [refund please, my mug arrived broken]}
inputs: {order_id: {pattern: "#?(\\\\d{5})", ask: which-order}}
subject: "order:${order.id}"
steps:
  - {id: orders, tool: shop.find, args: {email: "${task.requester.email}"}}
  - {id: order, select: {from: "${orders.items}", where: "it.id == inputs.order_id"}, else: {reply: not-found}}
  - {id: fresh, require: "order.refunded_minor == 0", else: {reply: too-late, outcome: refused_correctly}}
  - {id: refund, tool: shop.refund, args: {order_id: "${order.id}", amount: "${order.total}"}}
  - {id: reply, reply: done, with: {amount: "${order.total}"}}
"""
REPLIES = Replies(
    {
        ("which-order", "en"): "Which order, ${requester_name}?",
        ("which-order", "de"): "Welche Bestellung, ${requester_name}?",
        ("not-found", "en"): "No such order.",
        ("too-late", "en"): "It was refunded before.",
        ("done", "en"): "Refunded ${amount}.",
        ("done", "de"): "Erstattet: ${amount}.",
    }
)


class Order(BaseModel):
    """An order of the test shop."""

    id: str
    total: Money
    total_minor: int
    refunded_minor: int = 0
    status: str = "delivered"
    note: str | None = None


class Orders(BaseModel):
    """Several."""

    items: list[Order]


class Refund(BaseModel):
    """A refund that stands."""

    order_id: str
    reference: str


class Shop:
    """A stateful shop behind three tools; its switches make it misbehave."""

    def __init__(self) -> None:
        self.orders = [order("10001"), order("10002", total=99_00)]
        self.refunds: dict[str, str] = {}
        self.log: list[str] = []
        self.before: Callable[[], None] = lambda: None
        """Runs inside the refund, ahead of its effect."""
        self.after: Callable[[], None] = lambda: None
        """Runs inside the refund, after its effect."""
        self.looking: Callable[[], None] = lambda: None
        """Runs inside the lookup."""

    def tools(self) -> tuple[Tool, ...]:
        """The shop's tools."""

        @tool(effect="read", outputs={"items": "system", "items.note": "untrusted"}, owned_by="email", name="shop.find")
        async def find(ctx: ToolContext, email: str) -> Orders:
            self.log.append("find")
            return Orders(items=self.orders)

        @tool(
            effect="read",
            outputs={"items": "system", "items.note": "untrusted"},
            readers={"": "requester", "items.note": "staff"},
            name="shop.everyone",
        )
        async def everyone(ctx: ToolContext) -> Orders:
            return Orders(items=self.orders)

        async def find_refund(ctx: ToolContext, order_id: str, amount: Money) -> Refund | None:
            self.log.append("lookup")
            self.looking()
            return Refund(order_id=order_id, reference=ctx.key) if ctx.key in self.refunds else None

        @tool(effect="irreversible", sinks={"order_id", "amount"}, lookup=find_refund, name="shop.refund", timeout=5)
        async def refund(ctx: ToolContext, order_id: str, amount: Money) -> Refund:
            self.log.append("refund")
            self.before()
            assert ctx.key not in self.refunds, "the same effect twice"
            self.refunds[ctx.key] = f"{order_id} {amount}"
            self.orders = [
                one.model_copy(update={"refunded_minor": one.total_minor}) if one.id == order_id else one
                for one in self.orders
            ]
            self.after()
            return Refund(order_id=order_id, reference=ctx.key)

        return find, everyone, refund


def order(order_id: str, *, total: int = 25_00, **fields: object) -> Order:
    """An order."""
    return Order.model_validate(
        {"id": order_id, "total": {"minor": total, "currency": "USD"}, "total_minor": total, **fields}
    )


class Observer:
    """Remembers which effects were announced."""

    def __init__(self, log: list[str]) -> None:
        self.seen: list[PendingEffect] = []
        self.error: Exception | None = None
        self._log = log

    async def before_effect(self, effect: PendingEffect) -> None:
        """Look, or fail."""
        self._log.append("observe")
        if self.error is not None:
            raise self.error
        self.seen.append(effect)


class Desk(Workbench):
    """A workbench with the shop and a procedure for refunds; a job at a time is run on its ticket."""

    observer: Observer

    def __init__(
        self,
        *,
        shop: Shop | None = None,
        extra: tuple[Tool, ...] = (),
        text: str = REFUND,
        replies: Replies = REPLIES,
        **parts: Any,
    ) -> None:
        self.shop = shop or Shop()
        super().__init__(
            [*self.shop.tools(), *extra],
            procedure=text,
            replies=replies,
            observer=Observer(self.shop.log),
            **parts,
        )

    async def run(self, work: Work | None = None, *, runtime: InlineRuntime | None = None) -> End:
        """Run a job to its end."""
        return await self.executor().run(work or self.work(), runtime or InlineRuntime())

    def answer(self, *, approved: bool = True) -> Approval:
        """A person answers the question that stands."""
        ((key, asked),) = self.journal.approvals.items()
        state = ApprovalState.APPROVED if approved else ApprovalState.REJECTED
        self.journal.approvals[key] = asked.model_copy(update={"state": state, "decided_by": "Grace", "note": "why"})
        return self.journal.approvals[key]


def desk(*texts: str, **fields: object) -> Desk:
    """A desk whose ticket T-1 has these messages."""
    made = Desk(**fields)  # type: ignore[arg-type]
    made.helpdesk.open("T-1", *texts)
    return made


def context(key: str = "k") -> ToolContext:
    """A context for calling tools directly."""
    return ToolContext(
        tenant="acme",
        task_id="task-1",
        ticket_id="T-1",
        requester_email="ada@example.com",
        language="en",
        key=key,
        clock=ManualClock(NOW),
        settings={"url": "http://x"},
        evidence_store=MemoryEvidenceStore(),
        helpdesk=MemoryHelpdesk(),
    )
