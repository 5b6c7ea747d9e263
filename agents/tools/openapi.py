"""Tools from an OpenAPI document (3.0, 3.1): chosen operations, each with what a person declares about it.

The document is a file of the deployment and says which arguments there are and what comes back. Where the API is and
with which credential it is called stands in the settings; the document's own servers and security are not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import yaml
from pydantic import BaseModel, ConfigDict, Field

from agents.canonical import sha256_hex
from agents.documents import nearest
from agents.errors import InvalidTool
from agents.tools.declared import Remote, ToolDeclaration, declared_tool
from agents.tools.openapi_call import Request
from agents.tools.schemas import MALFORMED, Schemas, Unsupported, said
from agents.tools.tool import Tool

MAX_DOCUMENT = 4 * 1024 * 1024
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_NOT_ARGUMENTS = frozenset({"accept", "content-type", "authorization"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MAY_READ = _READS | {"POST"}
"""A search may be a POST; nothing else that changes by its name can be declared a read."""
Operation = Mapping[str, Any]


class OperationDeclaration(ToolDeclaration):
    """One operation of an API as a tool."""

    key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    """The header that carries the call's key, for example ``Idempotency-Key``."""


class OpenApiDeclaration(BaseModel):
    """One API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    document: str
    """The file, below the deployment's folder; JSON or YAML."""
    url: str
    """Where the API is, without a path's last slash."""
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], str] = {}
    """Sent with every request, the credential among them."""
    text_formats: tuple[str, ...] = ()
    """Formats beside the known ones, read as plain text."""
    operations: Annotated[dict[str, OperationDeclaration], Field(min_length=1)]
    """By operationId."""


def openapi_tools(
    group: str, declaration: OpenApiDeclaration, file: Path
) -> tuple[tuple[Tool, ...], list[tuple[str, str]]]:
    """The tools of API ``group``, and what is wrong as (operationId or empty, message); no tools if anything is."""
    try:
        raw = file.read_bytes()
        api = _Api(group, declaration, _parsed(raw), sha256_hex(raw))
    except OSError as error:
        return (), [("", f"{declaration.document} cannot be read: {error.strerror}")]
    except (Unsupported, *MALFORMED) as error:
        return (), [("", f"{declaration.document}: {said(error)}")]
    tools: list[Tool] = []
    problems: list[tuple[str, str]] = []
    for operation in declaration.operations:
        try:
            made = api.tool(operation)
            if made.name in {tool.name for tool in tools}:
                raise InvalidTool(made.name, "another operation makes the same name; give one a `name`")
            tools.append(made)
        except (InvalidTool, Unsupported, *MALFORMED) as error:
            problems.append((operation, said(error)))
    return (() if problems else tuple(tools)), problems


def _parsed(raw: bytes) -> Mapping[str, Any]:
    if len(raw) > MAX_DOCUMENT:
        raise Unsupported(f"has {len(raw)} bytes; at most {MAX_DOCUMENT} are read")
    try:
        text = raw.decode("utf-8-sig")
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Yaml)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Unsupported(f"{line}not YAML: {error.problem}") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise Unsupported(f"neither JSON nor YAML: {error}") from None
    document = found if isinstance(found, dict) else {}
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        told = f"version {version}" if version else f"swagger {document.get('swagger', '')}".strip()
        raise Unsupported(f"OpenAPI 3.0 and 3.1 are read, and this is {told if document else 'something else'}")
    if not isinstance(document.get("paths"), dict):
        raise Unsupported("has no paths")
    return document


class _Yaml(yaml.SafeLoader):
    """YAML as JSON would say it: dates stay text, and yes and no are words."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), ["t", "f"])


class _Api:
    """The operations of one document."""

    def __init__(self, group: str, declaration: OpenApiDeclaration, document: Mapping[str, Any], version: str) -> None:
        self._group = group
        self._declaration = declaration
        self._version = version
        self._arguments = Schemas(document, answers=False, text_formats=declaration.text_formats)
        self._answers = Schemas(document, answers=True, text_formats=declaration.text_formats)
        self._operations = self._indexed(document["paths"])
        self._remotes: dict[str, Remote] = {}

    def tool(self, name: str) -> Tool:
        """The declared tool of operation ``name``; `InvalidTool` or `Unsupported` if there can be none."""
        declaration = self._declaration.operations[name]
        method = self._remote(name, declaration.key_header)
        if declaration.effect == "read" and method not in _MAY_READ:
            raise InvalidTool(name, f"is a {method}, which changes something, and is declared a read")
        if declaration.effect == "read" and declaration.key_header is not None:
            raise InvalidTool(name, "only reads, so it needs no key_header")
        if declaration.lookup is not None:
            asked = self._remote(declaration.lookup.call, None)
            if asked not in _READS:
                raise InvalidTool(name, f"its lookup {declaration.lookup.call} is a {asked}, and a lookup only reads")
        return declared_tool(self._group, declaration, self._remotes, name)

    def _indexed(self, paths: Mapping[str, Any]) -> dict[str, tuple[str, str, Operation, Sequence[Any]]]:
        """operationId to (method, path, operation, parameters of the path)."""
        found: dict[str, tuple[str, str, Operation, Sequence[Any]]] = {}
        for path, item in paths.items():
            item = self._arguments.resolved(item, ("paths", str(path)))
            for method in _METHODS:
                operation = item.get(method)
                if not isinstance(operation, dict) or not isinstance(operation.get("operationId"), str):
                    continue
                name = operation["operationId"]
                if name in found:
                    raise Unsupported(f"two operations are called {name!r}")
                found[name] = (method.upper(), str(path), operation, item.get("parameters") or [])
        return found

    def _remote(self, name: str, key_header: str | None) -> str:
        """Read operation ``name`` if it was not read yet; returns its method."""
        if name not in self._operations:
            raise InvalidTool(name, f"the document has no such operation; {nearest(name, self._operations)}")
        method, path, operation, shared = self._operations[name]
        if name in self._remotes and key_header is None:
            return method
        places, schema = self._arguments_of(name, path, operation, shared, key_header)
        output_model, field, has_body = self._answer_of(name, operation)
        input_model = self._arguments.model(f"{name}_arguments", schema, (name,))
        request = Request(
            group=self._group,
            name=name,
            method=method,
            path=path,
            places=places,
            headers=tuple(self._declaration.headers),
            key_header=key_header,
            answer_field=field,
            has_body=has_body,
        )
        self._remotes[name] = Remote(
            name=name,
            description=_words(operation.get("summary")) or _words(operation.get("description")) or name,
            version=sha256_hex(f"{self._version} {name}".encode()),
            input_model=input_model,
            output_model=output_model,
            send=request.send,
            sends_key=key_header is not None,
            reads=method in _READS,
        )
        return method

    def _arguments_of(
        self, name: str, path: str, operation: Operation, shared: Sequence[Any], key_header: str | None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Where each argument goes (`Request.places`), and all of them as one object."""
        places: dict[str, str] = {}
        properties: dict[str, Any] = {}
        required: list[str] = []
        for parameter in self._parameters(name, operation, shared):
            wire, place = str(parameter.get("name")), str(parameter.get("in"))
            if place == "header" and wire.lower() in _NOT_ARGUMENTS | {(key_header or "").lower()}:
                continue
            if place not in ("path", "query", "header"):
                _refuse(name, f"the parameter {wire!r} is in the {place}; path, query and header are sent")
            if wire in places:
                _refuse(name, f"two arguments are called {wire!r}")
            places[wire] = self._place(name, parameter, place)
            properties[wire] = {"description": parameter.get("description"), "allOf": [parameter["schema"]]}
            if parameter.get("required") is True or place == "path":
                required.append(wire)
        for part in _placeholders(path):
            if places.get(part) != "path":
                _refuse(name, f"its path has {{{part}}}, and no parameter says what that is")
        body = operation.get("requestBody")
        if body is not None:
            self._add_body(name, self._arguments.resolved(body, (name, "requestBody")), places, properties, required)
        return places, {"type": "object", "properties": properties or {}, "required": required} | (
            {} if properties else {"additionalProperties": False}
        )

    def _parameters(self, name: str, operation: Operation, shared: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
        found: dict[tuple[Any, Any], Mapping[str, Any]] = {}
        for one in [*shared, *(operation.get("parameters") or [])]:
            parameter = self._arguments.resolved(one, (name, "parameters"))
            found[parameter.get("name"), parameter.get("in")] = parameter
        yield from found.values()

    def _place(self, name: str, parameter: Mapping[str, Any], place: str) -> str:
        wire = parameter["name"]
        if "schema" not in parameter:
            _refuse(name, f"the parameter {wire!r} has no schema; parameters as documents of their own are not sent")
        style = parameter.get("style", {"path": "simple", "header": "simple", "query": "form"}[place])
        kind = self._arguments.resolved(parameter["schema"], (name, str(wire))).get("type")
        if style not in ("simple", "form") or kind == "object":
            _refuse(name, f"the parameter {wire!r} is written in the style {style!r}; plain values and lists are sent")
        return "query-comma" if place == "query" and parameter.get("explode") is False else place

    def _add_body(
        self,
        name: str,
        body: Mapping[str, Any],
        places: dict[str, str],
        properties: dict[str, Any],
        required: list[str],
    ) -> None:
        content = body.get("content")
        schema = _json_schema(content if isinstance(content, dict) else {})
        if schema is None:
            _refuse(name, f"its body is {', '.join(content or ['nothing'])}; JSON is sent, and nothing else")
        whole = self._arguments.as_object(schema, (name, "requestBody"))
        if whole is None:
            if "body" in places:
                _refuse(name, "has a parameter called 'body' beside its body")
            places["body"], properties["body"] = "whole", schema
            required += ["body"] if body.get("required") is True else []
            return
        for wire, part in whole["properties"].items():
            if wire in places:
                _refuse(name, f"{wire!r} is a parameter and a field of the body")
            places[wire], properties[wire] = "body", part
        required += whole.get("required", [])

    def _answer_of(self, name: str, operation: Operation) -> tuple[type[BaseModel], str, bool]:
        """(model, the field that takes an answer that is no object, whether there is a body at all)."""
        responses = operation.get("responses")
        if not isinstance(responses, dict):
            _refuse(name, "does not say what it answers")
        good = sorted(str(status) for status in responses if str(status).startswith("2"))
        if not good:
            _refuse(name, "does not say what it answers when it succeeds")
        by_status = {str(status): response for status, response in responses.items()}
        for status in good:
            response = self._answers.resolved(by_status[status], (name, status))
            schema = _json_schema(response.get("content") or {})
            if schema is not None:
                model, field = self._answers.answer_model(f"{name}_answer", schema, (name, status))
                return model, field, True
            if response.get("content"):
                _refuse(name, f"answers {', '.join(response['content'])}; JSON is read, and nothing else")
        status_only = {"type": "object", "properties": {"status": {"type": "integer"}}, "required": ["status"]}
        return self._answers.model(f"{name}_answer", status_only), "", False


def _json_schema(content: Mapping[str, Any]) -> Any:
    """The schema of the JSON among the media types; None if there is none."""
    for media_type, form in content.items():
        plain = str(media_type).partition(";")[0].strip().lower()
        if plain == "application/json" or plain.endswith("+json") or plain == "*/*":
            return form.get("schema", True) if isinstance(form, dict) else True
    return None


def _placeholders(path: str) -> list[str]:
    return [part.partition("}")[0] for part in path.split("{")[1:]]


def _words(text: Any) -> str:
    return " ".join(text.split())[:1000] if isinstance(text, str) else ""


def _refuse(name: str, message: str) -> NoReturn:
    raise Unsupported(f"{name}: {message}")
