"""Answers of models, kept: each is asked for and paid once, whatever crashes or waits come after it.

An answer is evidence, with a receipt that names the prompt, the model, its tokens and its cost. A job that begins anew
finds it there.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import JsonValue

from agents.canonical import fingerprint, sha256_hex
from agents.errors import ModelFailed
from agents.models.messages import Finish, Model, ModelRequest, ModelResponse, from_json, to_json
from agents.progress import Progress
from agents.receipt import MODEL_PREFIX, Effect, Receipt, ReceiptState
from agents.trace import EventKind


class Answers:
    """The answers of one model within one step."""

    def __init__(self, now: Progress, step: str, model: Model) -> None:
        self._now = now
        self._step = step
        self._model = model

    def heard(self, number: int) -> int | None:
        """How many of the requester's messages answer ``number`` had seen; None if it was not given yet."""
        receipt = self._receipt(number)
        if receipt is None:
            return None
        heard = receipt.args["heard"]
        assert isinstance(heard, int), "written by _respond"
        return heard

    async def ask(self, number: int, heard: int, request: Callable[[], ModelRequest]) -> ModelResponse:
        """Answer ``number``: the one on record, or a new one; a person goes on where there is none."""
        now = self._now

        async def ask() -> JsonValue:
            if self._receipt(number) is None:
                try:
                    await self._respond(number, heard, request())
                except ModelFailed as error:
                    return {"failed": error.code, "why": str(error)}
            return {"key": self._key(number)}

        done = await now.once(f"{self._step}.answer.{number}", ask)
        assert isinstance(done, dict), "ask() answers with a record"
        if "failed" in done:
            now.hand_off(f"model_{done['failed']}", str(done["why"]), self._step)
        receipt = self._receipt(number)
        assert receipt is not None, "an answer has a receipt"
        response = from_json(now.caller.context.evidence_store.get(receipt.evidence[0].sha256))
        if response.finish in (Finish.REFUSED, Finish.OVERFLOW):
            now.hand_off(f"model_{response.finish.value}", f"{response.model} gave no answer", self._step)
        return response

    async def _respond(self, number: int, heard: int, request: ModelRequest) -> None:
        now = self._now
        started = now.caller.clock.now()
        response = await self._model.respond(request)
        kept = now.caller.context.evidence_store.put(
            to_json(response), media_type="application/json", label=f"answer of {response.model}"
        )
        usage = response.usage
        prompt = sha256_hex(request.system.encode())
        args: dict[str, JsonValue] = {"prompt": prompt, "heard": heard, "answer": number}
        receipt = Receipt(
            tenant=now.work.task.tenant,
            key=self._key(number),
            task_id=now.work.task.id,
            run_id=now.work.run.id,
            step=f"{self._step}.{number}",
            tool=f"{MODEL_PREFIX}{response.model}",
            tool_version=prompt[:12],
            effect=Effect.READ,
            args=args,
            args_sha256=fingerprint(args),
            procedure=now.work.run.procedure,
            state=ReceiptState.DONE,
            result={
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cache_read_tokens": usage.cache_read_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "request_id": response.request_id,
                "micros": response.micros,
            },
            started_at=started,
            finished_at=now.caller.clock.now(),
            evidence=(kept,),
        )
        now.note(EventKind.MODEL_ANSWERED, receipt.step, {"model": response.model, "receipt": receipt.key})
        now.caller.journal.finish(receipt, events=now.events)
        now.events.clear()

    def _key(self, number: int) -> str:
        return f"{self._now.work.run.id}:{self._step}.answer.{number}"

    def _receipt(self, number: int) -> Receipt | None:
        return self._now.caller.journal.receipt(self._now.work.task.tenant, self._key(number))
