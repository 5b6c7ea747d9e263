"""What an SDK raises, as a `ModelFailed`: classified, without a key, a header or the request in it.

Both SDKs are made by the same generator: their errors have the same names and attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from agents.errors import ModelFailed

MAX_RETRY_AFTER = 3600.0
"""Seconds; a provider that says more is not believed."""
_KEYS = re.compile(r"\b(?:sk|key|pk|rk|xai|gsk|ak)-[\w*.-]{4,}|(?i:bearer\s+)[\w*.-]{8,}")
_OVERFLOW = re.compile(
    r"context.?(?:length|window|size)|prompt is too long|too many (?:input )?tokens"
    r"|maximum (?:context|prompt|input|model) len|(?:input|prompt).{0,40}(?:exceed|too long|longer than)",
    re.IGNORECASE,
)
_REFUSED = ("content_filter", "content_policy_violation", "data_inspection_failed", "sensitive", "safety")
_NO_CREDIT = ("insufficient_quota", "insufficient_balance", "billing", "credit balance", "exceeded_current_quota")
_NO_CREDENTIALS = {"AnthropicError", "OpenAIError", "GoogleAuthError", "BotoCoreError", "RuntimeError"}
_TYPES = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error in the middle of a stream is called, as the status it would have had before."""


def failure(model: str, error: Exception, *, key: str = "") -> ModelFailed | None:
    """``error`` as a `ModelFailed`; None if it is none of a provider's. ``key`` is kept out of the message."""
    failed = _failure(model, error)
    if failed is not None and key and key in str(failed):
        return _again(failed, "the provider's message is left out: it holds the key")
    return failed


def _failure(model: str, error: Exception) -> ModelFailed | None:
    status = getattr(error, "status_code", None)
    if isinstance(error, ModelFailed):
        return error
    if isinstance(status, int):
        headers = error.response.headers  # type: ignore[attr-defined]
        return of_status(model, status, getattr(error, "body", None), headers)
    cause = error.__cause__ if type(error).__name__ in ("APIConnectionError", "APITimeoutError") else error
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.UnsupportedProtocol):
        return ModelFailed(model, "cannot be reached", code="unavailable", retryable=True)
    if isinstance(cause, TimeoutError | httpx2.TimeoutException) or type(error).__name__ == "APITimeoutError":
        return ModelFailed(model, "did not answer in time", code="timeout", retryable=True, may_have_cost=True)
    if isinstance(cause, httpx2.HTTPError) or type(error).__name__ == "APIConnectionError":
        return broken_off(model)
    if type(error).__name__ in ("APIError", "APIResponseValidationError"):
        return of_status(model, 200, getattr(error, "body", None), {})
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError | RecursionError):
        message = "its answer is not in the form that it should have"
        return ModelFailed(model, message, code="malformed", retryable=True, may_have_cost=True)
    if _NO_CREDENTIALS & {each.__name__ for each in type(error).__mro__}:
        message = f"the SDK found no credentials that it can use ({type(error).__name__})"
        return ModelFailed(model, message, code="not_allowed")
    return None


def broken_off(model: str) -> ModelFailed:
    """The answer ended before it was whole."""
    message = "its answer broke off"
    return ModelFailed(model, message, code="unavailable", retryable=True, may_have_cost=True)


def of_status(model: str, status: int, body: object, headers: Mapping[str, str]) -> ModelFailed:
    """The failure that a status and its body stand for; 200 for an error in the middle of an answer."""
    kind, message = _said(body)
    begun = status < 400
    if begun:
        status = _TYPES.get(kind, 500)
    if status == 413 or (status in (400, 422) and (kind == "context_length_exceeded" or _OVERFLOW.search(message))):
        return ModelFailed(model, f"the conversation does not fit: {message}", code="overflow")
    if status in (400, 403, 422) and any(word in kind for word in _REFUSED):
        return ModelFailed(model, f"refused: {message}", code="refused", may_have_cost=True)
    if status == 402 or (status in (400, 403, 429) and any(word in f"{kind} {message}".lower() for word in _NO_CREDIT)):
        return ModelFailed(model, "the account has no credit left", code="not_allowed")
    if status in (401, 403):
        return ModelFailed(model, f"the provider does not allow it ({status}); check the key", code="not_allowed")
    if status == 429:
        after = retry_after(headers)
        return ModelFailed(model, "asked too often", code="rate_limited", retryable=True, retry_after=after)
    if status in (408, 504):
        return ModelFailed(model, "did not answer in time", code="timeout", retryable=True, may_have_cost=True)
    if status in (409, 425) or status >= 500:
        code = "overloaded" if status in (503, 529) else "unavailable"
        return ModelFailed(
            model,
            f"the provider fails ({status})",
            code=code,
            retryable=True,
            retry_after=retry_after(headers),
            may_have_cost=begun,
        )
    return ModelFailed(model, f"the provider takes no such request ({status}): {message}", code="invalid_request")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, where the headers say so; a date counts from the answer's own."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            said = headers.get("retry-after", "")
            try:
                seconds = float(said)
            except ValueError:
                until = parsedate_to_datetime(said)
                seconds = (until - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else None


def _said(body: object) -> tuple[str, str]:
    """What kind of error, and the provider's words about it, short and without anything like a key."""
    found: Any = body
    while isinstance(found, dict) and isinstance(found.get("error"), dict):
        found = found["error"]
    if not isinstance(found, dict):
        return "", "no reason given"
    kinds = (found.get(name) for name in ("code", "type"))
    inner = found.get("innererror")
    kind = next((str(each) for each in kinds if isinstance(each, str) and each), "")
    if isinstance(inner, dict) and isinstance(inner.get("code"), str):
        kind = f"{kind} {inner['code']}"
    message = found.get("message")
    return kind, _KEYS.sub("[key]", message)[:300] if isinstance(message, str) else "no reason given"


def _again(failed: ModelFailed, message: str) -> ModelFailed:
    return ModelFailed(
        failed.model,
        message,
        code=failed.code,
        retryable=failed.retryable,
        retry_after=failed.retry_after,
        may_have_cost=failed.may_have_cost,
    )
