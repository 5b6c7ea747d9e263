"""HTTP for tools whose addresses are not fixed in the settings: a link in a ticket, a download that a record names.

    answer = await ctx.http.request("GET", order.tracking_url)

A name is resolved once and every address it has is checked (`agents.tools.addresses`); the connection goes to the very
address that was checked, while TLS and the Host header keep the name, so a name that changes its mind changes nothing.
Redirects are checked in the same way, one by one. No proxy of the environment is used, nothing is decompressed, and
answers are bounded in bytes and in time. No error repeats a path, a query or a header.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import httpx2

from agents.errors import AddressRefused, ToolFailed, ToolOutcomeUnknown
from agents.tools.addresses import refusal

MAX_BODY = 4 * 1024 * 1024
"""Bytes of an answer that are read at most, unless the caller says less."""
MAX_HEADERS = 32 * 1024
"""Bytes of an answer's headers, names and values together."""
MAX_URL = 2048
MAX_REDIRECTS = 3
CONNECT_TIMEOUT = 5.0
"""Seconds for one of a name's addresses to take the connection."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"https": 443, "http": 80}

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What came back, whatever its status."""

    status: int
    url: str
    """Where it came from, after redirects."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRules:
    """What a deployment allows beside public https; host names in lower case."""

    hosts: frozenset[str] = frozenset()
    """The hosts that the tool ``http.get`` reads from; without any there is no such tool."""
    allow_private: frozenset[str] = frozenset()
    """Hosts that may be on a private network or on this machine."""
    allow_http: frozenset[str] = frozenset()
    """Hosts that may be reached without TLS."""

    @property
    def named(self) -> frozenset[str]:
        """Every host that a person wrote down; only these may have a port of their own."""
        return self.hosts | self.allow_private | self.allow_http


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of ``host``, as the machine's own resolver gives them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class HttpClient:
    """Requests to addresses that nobody vouches for."""

    def __init__(
        self, rules: HttpRules | None = None, *, resolver: Resolver = resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        """Set up a client; nothing is sent yet.

        Args:
            rules: what the deployment allows.
            resolver: gives the addresses of a name; asked once for each request and redirect.
            tls: the certificates to trust; those of the machine if left out.
        """
        self.rules = rules or HttpRules()
        self._resolver = resolver
        self._tls = tls

    def to(self, host: str) -> HttpClient:
        """A client for ``host``, which stands in the settings: it may be private, without TLS, on any port."""
        rules = replace(
            self.rules,
            allow_private=self.rules.allow_private | {host},
            allow_http=self.rules.allow_http | {host},
        )
        return HttpClient(rules, resolver=self._resolver, tls=self._tls)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        hosts: Collection[str] | None = None,
        limit: int = MAX_BODY,
        seconds: float = 20.0,
    ) -> HttpAnswer:
        """Send one request and read the whole answer.

        Args:
            method: a redirect is followed for GET and HEAD; for others it is the answer.
            url: an absolute one, without a user name or password.
            headers: not sent on to another host by a redirect.
            content: the body.
            hosts: the only hosts that may be asked, also by a redirect; any public one if left out.
            limit: bytes of the answer.
            seconds: for everything, redirects included.

        Raises:
            AddressRefused: nothing is sent there, or a redirect led there.
            ToolFailed: nobody was reached, or a GET or HEAD had no usable answer; ``retryable`` if that may pass.
            ToolOutcomeUnknown: another method was sent and had no usable answer.
        """
        reads = method in ("GET", "HEAD")
        sent = headers or {}
        target = self._target(url, hosts)
        try:
            async with asyncio.timeout(seconds):
                for _ in range(MAX_REDIRECTS + 1):
                    answer = await self._once(method, target, headers=sent, content=content, limit=limit)
                    location = answer.headers.get("location", "")
                    if answer.status not in _REDIRECTS or not location or not reads:
                        return answer
                    there = self._target(_joined(target, location), hosts)
                    sent = sent if _origin(there) == _origin(target) else {}
                    target = there
        except TimeoutError:
            raise _lost(reads, f"{_place(target)} gave no whole answer within {seconds:g} s") from None
        raise ToolFailed(f"{_place(target)} sends on more than {MAX_REDIRECTS} times", code="too_many_redirects")

    async def _once(
        self, method: str, target: httpx2.URL, *, headers: Mapping[str, str], content: bytes | None, limit: int
    ) -> HttpAnswer:
        addresses = await self._addresses(target)
        for number, address in enumerate(addresses, 1):
            try:
                return await self._sent(method, target, address, headers=headers, content=content, limit=limit)
            except _NotReached:
                if number == len(addresses):
                    break
        raise ToolFailed(f"{_place(target)} is not reached", code="unreachable", retryable=True)

    async def _sent(
        self,
        method: str,
        target: httpx2.URL,
        address: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        limit: int,
    ) -> HttpAnswer:
        """Send it to ``address``, which was checked, under the name in ``target``."""
        reads = method in ("GET", "HEAD")
        place = _place(target)
        all_headers = {"User-Agent": "settle", "Accept-Encoding": "identity", **headers, "Host": _authority(target)}
        timeout = httpx2.Timeout(None, connect=CONNECT_TIMEOUT)
        client = httpx2.AsyncClient(
            verify=self._tls or _trusted(), trust_env=False, follow_redirects=False, timeout=timeout
        )
        try:
            async with (
                client,
                client.stream(
                    method,
                    target.copy_with(host=address),
                    headers=all_headers,
                    content=content,
                    extensions={"sni_hostname": _host(target)},
                ) as response,
            ):
                return HttpAnswer(
                    status=response.status_code,
                    url=str(target),
                    headers=_bounded_headers(response, place, reads),
                    body=await _bounded_body(response, place, limit, reads),
                )
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                message = f"{place} has no certificate that is trusted for this name"
                raise ToolFailed(message, code="certificate_refused") from None
            raise _NotReached from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise _lost(reads, f"{place} broke the connection off: {type(error).__name__}") from None

    def _target(self, url: str, hosts: Collection[str] | None) -> httpx2.URL:
        """``url`` if it is one that may be asked, as far as can be said without its addresses."""
        if len(url) > MAX_URL:
            raise AddressRefused("", f"a URL of more than {MAX_URL} characters is not asked")
        try:
            parts = httpx2.URL(url)
            host = _host(parts).lower().rstrip(".")
        except (httpx2.InvalidURL, UnicodeError, ValueError):
            raise AddressRefused("", "what should be a URL is none") from None
        if parts.scheme not in ("https", "http") or not host:
            raise AddressRefused(host, "only URLs that begin with https://HOST are asked")
        if parts.userinfo:
            raise AddressRefused(host, "a URL with a user name or password in it is not asked")
        if parts.scheme == "http" and host not in self.rules.allow_http:
            raise AddressRefused(host, "without TLS; if it has none, name it under [tools.http] allow_http")
        if parts.port not in (None, _DEFAULT_PORTS[parts.scheme]) and host not in self.rules.named:
            raise AddressRefused(host, f"port {parts.port} is asked of hosts alone that are named under [tools.http]")
        if hosts is not None and host not in hosts:
            raise AddressRefused(host, "is none of the hosts that may be asked")
        return parts.copy_with(host=host, fragment=None)

    async def _addresses(self, target: httpx2.URL) -> Sequence[str]:
        host, port = _host(target), target.port or _DEFAULT_PORTS[target.scheme]
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise ToolFailed(f"{_place(target)} has no address", code="unreachable", retryable=True)
        for address in addresses:
            why = refusal(address, private=host in self.rules.allow_private)
            if why is not None:
                raise AddressRefused(host, f"its address {why}; if that is meant, name it under allow_private")
        return addresses


@cache
def _trusted() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


class _NotReached(Exception):
    """Control flow: nobody took the connection, so nothing was sent."""


def _lost(reads: bool, message: str) -> ToolFailed | ToolOutcomeUnknown:
    return ToolFailed(message, code="no_answer", retryable=True) if reads else ToolOutcomeUnknown(message)


def _unusable(reads: bool, message: str) -> ToolFailed | ToolOutcomeUnknown:
    return ToolFailed(message, code="unusable_answer") if reads else ToolOutcomeUnknown(message)


def _bounded_headers(response: httpx2.Response, place: str, reads: bool) -> dict[str, str]:
    if sum(len(name) + len(value) for name, value in response.headers.raw) > MAX_HEADERS:
        raise _unusable(reads, f"{place} answered with more than {MAX_HEADERS} bytes of headers")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise _unusable(reads, f"{place} answered with compressed data, which nobody asked for")
    return {name.lower(): value for name, value in response.headers.items()}


async def _bounded_body(response: httpx2.Response, place: str, limit: int, reads: bool) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > limit:
            raise _unusable(reads, f"{place} answered with more than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def _joined(target: httpx2.URL, location: str) -> str:
    try:
        return str(target.join(location))
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise AddressRefused(_host(target), "sends on to what is no URL") from None


def _host(url: httpx2.URL) -> str:
    """In the form that resolvers and certificates know, ``xn--`` where a name is not ASCII."""
    return url.raw_host.decode("ascii")


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, _host(url), url.port or _DEFAULT_PORTS[url.scheme]


def _authority(url: httpx2.URL) -> str:
    return url.netloc.decode("ascii")


def _place(url: httpx2.URL) -> str:
    return f"{url.scheme}://{_authority(url)}"
