"""Where tools are sent, and how much comes back: every server here is real, on loopback."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agents.errors import AddressRefused, ToolFailed, ToolOutcomeUnknown
from agents.tools.http import MAX_REDIRECTS, HttpClient, HttpRules
from agents.tools.web import get
from tests.agents.builders import context
from tests.fakes.raw_server import RawServer, answer, redirect

CRM = "crm.internal"


class Names:
    """A resolver: each name has a row of answers, the last one for ever; it counts how often it was asked."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(row) for name, row in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        row = self.answers.get(host, [[]])
        return row.pop(0) if len(row) > 1 else row[0]


def client(names: Names, *private: str, tls: ssl.SSLContext | None = None, hosts: Sequence[str] = ()) -> HttpClient:
    """A client that may ask ``private`` hosts, without TLS too."""
    rules = HttpRules(hosts=frozenset(hosts), allow_private=frozenset(private), allow_http=frozenset(private))
    return HttpClient(rules, resolver=names, tls=tls)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as one:
        yield one


async def test_a_named_private_host_is_read(server: RawServer) -> None:
    server.answers["/a?b=c"] = answer(b"hello")
    http = client(Names(crm_internal=[["127.0.0.1"]]), CRM)
    found = await http.request("GET", f"http://CRM.internal.:{server.port}/a?b=c#d", headers={"X-Key": "k"})
    assert (found.status, found.body, found.headers["content-type"]) == (200, b"hello", "text/plain")
    (head,) = server.requests
    assert f"Host: {CRM}:{server.port}\r\n" in head
    assert "X-Key: k\r\n" in head


@pytest.mark.parametrize(
    "url",
    [
        "http://public.example/",
        "ftp://public.example/",
        "file:///etc/passwd",
        "https:///nothing",
        "public.example/path",
        "https://user:hunter2@public.example/",
        "https://user@public.example/",
        "https://public.example:8443/",
        "https://public.example/" + "a" * 2048,
        "https://pub\x00lic.example/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0x7f.1/",
        "https://2130706433/",
    ],
)
async def test_urls_that_are_not_asked(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        await HttpClient().request("GET", url)
    assert refused.value.code == "address_refused"
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:10.0.0.1"], ["169.254.169.254"], ["64:ff9b::7f00:1"]],
)
async def test_a_name_is_refused_if_any_of_its_addresses_is(addresses: list[str]) -> None:
    with pytest.raises(AddressRefused, match=r"evil\.example"):
        await client(Names(evil_example=[addresses])).request("GET", "https://evil.example/")


async def test_a_host_that_may_be_private_still_has_no_metadata_address() -> None:
    with pytest.raises(AddressRefused, match="credentials"):
        await client(Names(crm_internal=[["169.254.169.254"]]), CRM).request("GET", f"http://{CRM}/")


async def test_a_name_that_changes_its_address_is_asked_at_the_one_that_was_checked() -> None:
    async with RawServer() as checked, RawServer(host="127.0.0.2") as other:
        checked.answers["/"] = answer(b"checked")
        names = Names(crm_internal=[["127.0.0.1"], ["127.0.0.2"]])
        found = await client(names, CRM).request("GET", f"http://{CRM}:{checked.port}/")
        assert found.body == b"checked"
        assert names.asked == [CRM]
        assert other.requests == []


async def test_the_next_address_is_tried_when_nobody_takes_the_connection(server: RawServer) -> None:
    server.answers["/"] = answer(b"here")
    http = client(Names(crm_internal=[["127.0.0.3", "127.0.0.1"]]), CRM)
    assert (await http.request("GET", f"http://{CRM}:{server.port}/")).body == b"here"


async def test_nobody_there_is_no_unknown_outcome() -> None:
    async with RawServer() as gone:
        port = gone.port
    with pytest.raises(ToolFailed) as failed:
        await client(Names(crm_internal=[["127.0.0.1"]]), CRM).request("POST", f"http://{CRM}:{port}/", content=b"x")
    assert (failed.value.code, failed.value.retryable) == ("unreachable", True)
    with pytest.raises(ToolFailed, match="has no address"):
        await client(Names()).request("GET", "https://unknown.example/")


async def test_redirects_are_checked_one_by_one(server: RawServer) -> None:
    server.answers["/start"] = redirect("/next")
    server.answers["/next"] = redirect("https://evil.example/secret")
    names = Names(crm_internal=[["127.0.0.1"]], evil_example=[["10.0.0.7"]])
    with pytest.raises(AddressRefused, match=r"evil\.example: its address is private"):
        await client(names, CRM).request("GET", f"http://{CRM}:{server.port}/start")
    assert server.paths == ["/start", "/next"]
    assert names.asked == [CRM, CRM, "evil.example"]


@pytest.mark.parametrize(
    "location",
    ["http://evil.example/", "file:///etc/passwd", "https://u:p@crm.internal/", "//evil.example:99999/", "http://[::1"],
)
async def test_a_redirect_may_not_lead_to_what_may_not_be_asked(server: RawServer, location: str) -> None:
    server.answers["/"] = redirect(location)
    with pytest.raises(AddressRefused):
        await client(Names(crm_internal=[["127.0.0.1"]]), CRM).request("GET", f"http://{CRM}:{server.port}/")


async def test_redirects_end(server: RawServer) -> None:
    server.answers["/"] = redirect("/")
    with pytest.raises(ToolFailed, match="more than"):
        await client(Names(crm_internal=[["127.0.0.1"]]), CRM).request("GET", f"http://{CRM}:{server.port}/")
    assert len(server.requests) == MAX_REDIRECTS + 1


async def test_credentials_stay_with_the_host_they_were_meant_for(server: RawServer) -> None:
    server.answers["/"] = redirect(f"http://other.internal:{server.port}/there")
    server.answers["/there"] = answer(b"x")
    names = Names(crm_internal=[["127.0.0.1"]], other_internal=[["127.0.0.1"]])
    http = client(names, CRM, "other.internal")
    await http.request("GET", f"http://{CRM}:{server.port}/", headers={"Authorization": "Bearer s3cret"})
    assert ["s3cret" in head for head in server.requests] == [True, False]


async def test_what_writes_is_never_sent_on(server: RawServer) -> None:
    server.answers["/"] = redirect("/again", "307 Temporary Redirect")
    http = client(Names(crm_internal=[["127.0.0.1"]]), CRM)
    assert (await http.request("POST", f"http://{CRM}:{server.port}/", content=b"{}")).status == 307
    assert server.paths == ["/"]


@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_answer_is_not_read_to_its_end(server: RawServer, declared: bool) -> None:
    ended = asyncio.Event()

    async def endless(path: str, writer: asyncio.StreamWriter) -> None:
        length = f"Content-Length: {10**12}\r\n" if declared else ""
        writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            ended.set()

    server.answers["/"] = endless
    http = client(Names(crm_internal=[["127.0.0.1"]]), CRM)
    with pytest.raises(ToolFailed, match="more than 100000 bytes"):
        await http.request("GET", f"http://{CRM}:{server.port}/", limit=100_000)
    await asyncio.wait_for(ended.wait(), 10)


async def test_compressed_data_is_not_unpacked(server: RawServer) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    server.answers["/"] = answer(bomb, headers="Content-Encoding: gzip\r\n")
    with pytest.raises(ToolFailed, match="compressed"):
        await client(Names(crm_internal=[["127.0.0.1"]]), CRM).request("GET", f"http://{CRM}:{server.port}/")
    assert "accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize("size", [40_000, 400_000])
async def test_headers_are_bounded(server: RawServer, size: int) -> None:
    server.answers["/"] = answer(headers=f"X-Long: {'a' * size}\r\n")
    with pytest.raises(ToolFailed):
        await client(Names(crm_internal=[["127.0.0.1"]]), CRM).request("GET", f"http://{CRM}:{server.port}/")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_that_never_ends_has_its_time(server: RawServer, method: str) -> None:
    async def drip(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.answers["/?key=s3cret"] = drip
    http = client(Names(crm_internal=[["127.0.0.1"]]), CRM)
    expected = ToolFailed if method == "GET" else ToolOutcomeUnknown
    with pytest.raises(expected, match="no whole answer") as failed:
        await http.request(method, f"http://{CRM}:{server.port}/?key=s3cret", seconds=0.2)
    assert "s3cret" not in str(failed.value)


async def test_a_connection_that_breaks_after_a_write_is_an_unknown_outcome(server: RawServer) -> None:
    server.answers["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
    http = client(Names(crm_internal=[["127.0.0.1"]]), CRM)
    with pytest.raises(ToolOutcomeUnknown, match="broke"):
        await http.request("POST", f"http://{CRM}:{server.port}/", content=b"{}")
    with pytest.raises(ToolFailed, match="broke") as failed:
        await http.request("GET", f"http://{CRM}:{server.port}/")
    assert failed.value.retryable


async def test_proxies_of_the_environment_are_not_used(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.answers["/"] = answer(b"direct")
    http = client(Names(crm_internal=[["127.0.0.1"]]), CRM)
    assert (await http.request("GET", f"http://{CRM}:{server.port}/")).body == b"direct"


async def test_tls_keeps_the_name_while_the_address_is_pinned(tmp_path: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(_certificate(tmp_path, CRM)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    names = Names(crm_internal=[["127.0.0.1"]], other_internal=[["127.0.0.1"]])
    async with RawServer(tls=context) as server:
        server.answers["/"] = answer(b"secret place")
        http = client(names, CRM, "other.internal", tls=trusted)
        assert (await http.request("GET", f"https://{CRM}:{server.port}/")).body == b"secret place"
        assert server.names == [CRM]
        with pytest.raises(ToolFailed) as failed:
            await http.request("GET", f"https://other.internal:{server.port}/")
        assert failed.value.code == "certificate_refused"
        with pytest.raises(ToolFailed):
            await client(names, CRM).request("GET", f"https://{CRM}:{server.port}/")
        assert len(server.requests) == 1


async def test_the_tool_reads_pages_of_named_hosts_alone(server: RawServer) -> None:
    server.answers["/"] = answer("Grüße".encode(), headers="Content-Type: text/html; charset=utf-8\r\n")
    server.answers["/elsewhere"] = redirect(f"http://other.internal:{server.port}/")
    server.answers["/picture"] = answer(b"\x89PNG", headers="Content-Type: image/png\r\n")
    names = Names(crm_internal=[["127.0.0.1"]], other_internal=[["127.0.0.1"]])
    ctx = replace(context(), http=client(names, CRM, "other.internal", hosts=[CRM]))
    found = await get.call(ctx, {"url": f"http://{CRM}:{server.port}/"})
    assert (found["media_type"], found["text"]) == ("text/html", "Grüße")
    for url, code in [
        (f"http://other.internal:{server.port}/", "address_refused"),
        (f"http://{CRM}:{server.port}/elsewhere", "address_refused"),
        (f"http://{CRM}:{server.port}/picture", "unusable_answer"),
        (f"http://{CRM}:{server.port}/missing", "bad_status"),
    ]:
        with pytest.raises(ToolFailed) as failed:
            await get.call(ctx, {"url": url})
        assert failed.value.code == code
    labelled = get.labelled(found, step="page", args={}, requester="ada@example.com")
    assert labelled.weakest().integrity.name == "UNTRUSTED"


def _certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem"
