"""Web addresses in words: what a mail program or a helpdesk turns into a link, or fetches as a picture.

Whoever opens a link tells its host what stands in it, so an address in words is a way out for data.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import JsonValue

_ADDRESS = re.compile(
    r"(?:https?|ftp|wss?):[/\\]*(?P<schemed>[^/\\?#\s\"'<>()]*)"
    r"|[/\\]{2,}(?P<relative>[^/\\?#\s\"'<>()]+)"
    r"|(?<![\w@.-])(?P<bare>(?:[a-z0-9_-]+\.)+[a-z]{2,24})(?![\w@-])",
    re.IGNORECASE,
)


def leads_elsewhere(value: JsonValue, hosts: Collection[str]) -> bool:
    """True if text anywhere in ``value`` names a web address of a host that is not one of ``hosts`` (lower case).

    A name with a dot counts as an address, also without a scheme; the domain of an e-mail address does not.
    """
    match value:
        case str():
            return any(_host(found) not in hosts for found in _ADDRESS.finditer(value))
        case list():
            return any(leads_elsewhere(item, hosts) for item in value)
        case dict():
            return any(leads_elsewhere(item, hosts) for pair in value.items() for item in pair)
        case _:
            return False


def _host(found: re.Match[str]) -> str:
    place = found["schemed"] or found["relative"] or found["bare"] or ""
    return place.rpartition("@")[2].partition(":")[0].rstrip(".,;!").lower()
