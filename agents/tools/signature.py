"""What a function's signature says: a model of its arguments, a model of its answer, and how to call it.

A tool's function takes a context first, if it takes one at all, and answers with a pydantic model; any other answer
becomes a model with the one field ``answer``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from agents.canonical import sha256_hex
from agents.errors import InvalidTool


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A function as a tool calls it."""

    function: Callable[..., Any]
    """Takes the context first."""
    input_model: type[BaseModel]
    output_model: type[BaseModel]
    version: str
    """Changes with the function's source."""

    def fits(self, other: Callable[..., Any]) -> bool:
        """True if ``other`` takes a context and arguments of the same names."""
        return list(inspect.signature(other).parameters)[1:] == list(self.input_model.model_fields)


def read_signature(function: Callable[..., Any], name: str, context: type) -> Signature:
    """The signature of ``function``, for a tool called ``name``; `InvalidTool` says what is wrong with it."""
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise InvalidTool(name, f"its signature names something unknown: {error}") from None
    parameters = list(inspect.signature(function).parameters.values())
    bare = not parameters or hints.get(parameters[0].name) is not context
    fields: dict[str, Any] = {}
    for parameter in parameters if bare else parameters[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidTool(name, "takes named parameters only, no *, ** or /")
        if parameter.name not in hints:
            raise InvalidTool(name, f"parameter {parameter.name} has no type")
        if hints[parameter.name] is context:
            raise InvalidTool(name, f"takes `{parameter.name}: {context.__name__}` as its first parameter")
        if parameter.name.startswith("_"):
            raise InvalidTool(name, f"parameter {parameter.name} begins with an underscore")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    input_model = _model(name, "arguments", fields)
    if "return" not in hints:
        raise InvalidTool(name, "does not say what it returns; annotate it, for example `-> Order`")
    answer = hints["return"]
    wrapped = not (isinstance(answer, type) and issubclass(answer, BaseModel))
    output_model = _model(name, "answer", {"answer": (answer, ...)}) if wrapped else answer
    return Signature(
        function=_adapted(function, bare=bare, wrapped=wrapped),
        input_model=input_model,
        output_model=output_model,
        version=_version(function),
    )


def _model(name: str, what: str, fields: dict[str, Any]) -> type[BaseModel]:
    try:
        model: type[BaseModel] = create_model(
            f"{name.replace('.', '_')}_{what}", __config__=ConfigDict(extra="forbid"), **fields
        )
        model.model_json_schema()
    except Exception as error:
        raise InvalidTool(name, f"its {what} cannot be described: {str(error).splitlines()[0]}") from error
    return model


def _adapted(function: Callable[..., Any], *, bare: bool, wrapped: bool) -> Callable[..., Any]:
    """``function`` with the context ahead and a model as its answer."""
    if not (bare or wrapped):
        return function

    def given(context: Any) -> tuple[Any, ...]:
        return () if bare else (context,)

    if inspect.iscoroutinefunction(function):

        async def later(context: Any, /, **args: Any) -> Any:
            answer = await function(*given(context), **args)
            return {"answer": answer} if wrapped else answer

        return later

    def now(context: Any, /, **args: Any) -> Any:
        answer = function(*given(context), **args)
        return {"answer": answer} if wrapped else answer

    return now


def _version(function: Callable[..., Any]) -> str:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = repr(function)
    return sha256_hex(source.encode())[:12]
