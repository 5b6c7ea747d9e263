"""Tools that a deployment declares in settle.toml: of HTTP APIs (``[tools.openapi.NAME]``) and MCP servers
(``[tools.mcp.NAME]``). Loading needs neither secrets nor a network; places are filled in when calls are made.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agents.documents import Source
from agents.errors import Problem
from agents.tools import Tool
from agents.tools.mcp import LOCK, McpDeclaration, Pinned, accepted_tools, mcp_tools
from agents.tools.openapi import openapi_tools
from agents.tools.openapi_call import header_setting, url_setting
from service.errors import SettingMissing
from service.settings import Secrets, ToolSettings, fill_in

if TYPE_CHECKING:
    from agents.tools.mcp_client import McpServers
    from agents.tools.mcp_transport import McpServer
    from service.deployment import Deployment, State


BUILT_IN = ("http", "knowledge", "conversation")
"""Names before the dot that are Settle's own."""


def read_declared(folder: Path, source: Source, settings: ToolSettings) -> tuple[list[Tool], list[str], list[Problem]]:
    """The tools of all APIs and servers; where anything is wrong, no tool, the names of all, and what is wrong."""
    tools: list[Tool] = []
    problems = list(_names_taken(source, settings))
    for name, api in settings.openapi.items():
        made, wrong = openapi_tools(name, api, folder / api.document)
        place: tuple[str, ...] = ("tools", "openapi", name)
        for operation, message in wrong:
            inside = ("operations", operation) if operation else ("document",)
            problems.append(source.problem((*place, *inside), message))
        tools += made
    accepted = _accepted(folder, problems) if settings.mcp else {}
    for name, server in settings.mcp.items():
        place = ("tools", "mcp", name)
        made, wrong = mcp_tools(name, server, accepted.get(name, {})) if accepted is not None else ((), [])
        for tool, message in wrong:
            problems.append(source.problem((*place, "tools", tool) if tool else place, message))
        tools += made
    return (tools, [], []) if not problems else ([], [*settings.openapi, *settings.mcp], problems)


def declared_names(source: Source) -> list[str]:
    """The names of APIs and servers in settings that do not fit as a whole."""
    tools = source.data.get("tools")
    kinds = (tools.get("openapi"), tools.get("mcp")) if isinstance(tools, dict) else ()
    return [str(name) for kind in kinds if isinstance(kind, dict) for name in kind]


def _names_taken(source: Source, settings: ToolSettings) -> Iterator[Problem]:
    files = {Path(module).stem for module in settings.modules}
    for kind, names in (("openapi", settings.openapi), ("mcp", settings.mcp)):
        for name in names:
            if name in BUILT_IN or name in files or (kind == "mcp" and name in settings.openapi):
                message = f"{name!r} is the name of other tools already; give it another"
                yield source.problem(("tools", kind, name), message)


def _accepted(folder: Path, problems: list[Problem]) -> Mapping[str, Pinned] | None:
    try:
        return accepted_tools(folder)
    except ValueError as error:
        problems.append(Problem(file=str(folder / LOCK), line=None, field="", message=str(error)))
        return None


def api_settings(settings: ToolSettings, secrets: Secrets, urls: Mapping[str, str]) -> dict[str, str]:
    """What the tools of APIs are told, with all places filled."""
    found: dict[str, str] = {}
    for group, api in settings.openapi.items():
        where = f"[tools.openapi.{group}]"
        found[url_setting(group)] = fill_in(api.url, secrets=secrets, urls=urls, setting=f"{where} url")
        for name, text in api.headers.items():
            filled = fill_in(text, secrets=secrets, urls=urls, setting=f"{where} headers")
            found[header_setting(group, name)] = filled
    return found


def server_of(
    name: str, declaration: McpDeclaration, *, folder: Path, state: Path, secrets: Secrets, urls: Mapping[str, str]
) -> McpServer:
    """How MCP server ``name`` is reached.

    Raises:
        SettingMissing: a secret or a process is missing, or the package ``mcp``.
    """
    try:
        from agents.tools.mcp_transport import McpServer  # 0.9 s to import, and not needed without MCP servers
    except ImportError as error:
        what = "install the extra: pip install 'settle-agents[mcp]'"
        raise SettingMissing(f"[tools.mcp.{name}]", f"{what} ({error})") from None
    places = {"python": sys.executable, "state": str(state.resolve()), "deployment": str(folder.resolve())}

    def filled(texts: Mapping[str, str]) -> dict[str, str]:
        setting = f"[tools.mcp.{name}]"
        return {key: fill_in(text, secrets=secrets, urls=urls, setting=setting) for key, text in texts.items()}

    return McpServer(
        name=name,
        command=tuple(part.format(**places) for part in declaration.command),
        folder=folder.resolve(),
        environment=filled(declaration.environment),
        url=filled({"url": declaration.url})["url"],
        headers=filled(declaration.headers),
        wanted=declaration.wanted,
    )


@asynccontextmanager
async def mcp_servers(
    deployment: Deployment, state: State, secrets: Secrets, urls: Mapping[str, str]
) -> AsyncIterator[McpServers | None]:
    """The MCP servers of a deployment, each started by its first call and stopped at the end; None if it has none."""
    declared = deployment.settings.tools.mcp
    if not declared:
        yield None
        return
    made = {
        name: server_of(name, one, folder=deployment.folder, state=state.folder, secrets=secrets, urls=urls)
        for name, one in declared.items()
    }
    from agents.tools.mcp_client import McpServers

    accepted = accepted_tools(deployment.folder)
    servers = McpServers({name: (server, accepted[name]) for name, server in made.items()})
    try:
        yield servers
    finally:
        await servers.close()
