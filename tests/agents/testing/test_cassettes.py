"""Cassettes: every model adapter on recorded answers, no secret in a file, and nothing that goes past one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.models.messages import ModelRequest, ModelResponse, TextDelta, ToolSpec, user
from agents.models.naming import open_model
from agents.models.wire import WireModel
from agents.testing import Cassette, FakeApi, Refusal
from tests.agents.testing.plugin_runs import run_pytest
from tests.fakes import provider_anthropic, provider_chat, provider_openai
from tests.fakes.provider import ProviderServer, Reply

KEY = "sk-test-4711-0815-cassette"
FIND = ToolSpec(name="shop__find", description="Find orders.", parameters={"type": "object", "properties": {}})
ASK = ModelRequest(system="Be brief.", messages=(user("Wo ist mein Päckchen? 包裹呢"),), tools=(FIND,))
MODELS = {
    "anthropic": (
        "anthropic:claude-test",
        "",
        provider_anthropic.whole(provider_anthropic.message(provider_anthropic.called("shop__find"))),
        provider_anthropic.streamed(provider_anthropic.message(provider_anthropic.said("Päckchen海关"))),
    ),
    "openai": (
        "openai:gpt-5",
        "/v1",
        provider_openai.whole(provider_openai.answer(provider_openai.called("shop__find"))),
        provider_openai.streamed(provider_openai.answer(provider_openai.said("Päckchen海关"))),
    ),
    "chat": (
        "ollama:llama3",
        "/v1",
        provider_chat.whole(provider_chat.answer(None, provider_chat.called("shop__find"))),
        provider_chat.streamed(provider_chat.answer("Päckchen海关")),
    ),
}


@asynccontextmanager
async def model_on(cassette: Cassette, name: str, path: str, *replies: Reply) -> AsyncIterator[WireModel]:
    """The model; its provider's stand-in runs while the cassette is recorded, and at no other time."""
    provider = name.partition(":")[0].upper()
    cassette.hide(KEY)
    async with ProviderServer(*replies) as server:
        url = server.url if cassette.recording else "http://127.0.0.1"
        model = open_model(name, environ={f"{provider}_API_KEY": KEY, f"{provider}_BASE_URL": url + path})
        yield model
        await model.aclose()
        assert len(server.asked) == (len(replies) if cassette.recording else 0)


@pytest.mark.parametrize("kind", MODELS)
async def test_an_adapter_answers_from_its_cassette(kind: str, cassette: Cassette) -> None:
    name, path, *replies = MODELS[kind]
    async with model_on(cassette, name, path, *replies) as model:
        whole = await model.respond(ASK)
        streamed = [one async for one in model.stream(ASK)]
    assert [one.name for one in whole.turn.tool_calls] == ["shop__find"]
    *words, answer = streamed
    assert isinstance(answer, ModelResponse)
    assert answer.turn.text == "Päckchen海关"
    assert "".join(one.text for one in words if isinstance(one, TextDelta)) == answer.turn.text
    assert answer.usage.output_tokens == 7


def test_no_cassette_here_holds_the_key_and_all_say_what_answered() -> None:
    files = sorted((Path(__file__).parent / "cassettes").rglob("*.yaml"))
    assert len(files) == len(MODELS)
    for file in files:
        text = file.read_text()
        assert "stand-in at 127.0.0.1" in text.splitlines()[1]
        assert KEY not in text


SECRETS = """
import httpx2

def ask(cassette, url, key):
    cassette.hide("hidden value")
    with httpx2.Client(base_url=url, trust_env=False, headers={"X-Api-Key": key, "X-Odd": "odd secret"}) as client:
        sent = {"q": [{"password": "pass phrase"}], "w": "a hidden value", "k": key}
        client.post(f"/a?token={key}&page=1", json=sent)
        client.post("/form", data={"client_secret": "form secret", "page": "2"})
        client.get(url.replace("//", "//ann:user-secret@") + "/moved", follow_redirects=False)
        return client.get("/b").json()

def test_it(cassette):
    import os
    key = os.environ["SHOP_TOKEN"] if cassette.recording else "another key"
    url = os.environ["URL"] if cassette.recording else "http://127.0.0.1:1"
    token = "fresh secret" if cassette.recording else "[removed]"
    assert ask(cassette, url, key) == {"access_token": token, "ok": 1}
"""


def test_secrets_are_in_no_cassette_and_it_plays_without_them(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SECRETS.replace('"k": key', '"k": key if cassette.recording else "[removed]"'))
    api = FakeApi()
    api.on("POST /a", lambda asked: {"echo": asked.body["k"]})
    api.on("POST /form", Refusal(status=204))
    api.on("GET /moved", Refusal(status=302))
    api.on("GET /b", {"access_token": "fresh secret", "ok": 1})
    secret = "environment-secret-1"
    recorded = run_pytest(tmp_path, SETTLE_RECORD_CASSETTES="1", SHOP_TOKEN=secret, URL=api.url)
    asked = len(api.asked)
    api.close()
    assert "1 passed" in recorded.stdout, recorded.stdout
    assert asked == 4
    text = (tmp_path / "cassettes/test_it/test_it.yaml").read_text()
    for one in (secret, "pass phrase", "hidden value", "odd secret", "user-secret", "form secret", "fresh secret"):
        assert one not in text
    assert "page=1" in text
    assert "page=2" in text
    played = run_pytest(tmp_path)
    assert "1 passed" in played.stdout, played.stdout


GUARDED = """
import socket
import contextlib
import httpx2

def get(path):
    with httpx2.Client(base_url="http://127.0.0.1:1", trust_env=False) as client, contextlib.suppress(BaseException):
        client.get(path)

def test_all_played(cassette):
    get("/a"), get("/b")

def test_one_unplayed(cassette):
    get("/a")

def test_a_request_that_is_not_on_it(cassette):
    get("/a"), get("/b"), get("/c?token=very-secret")

def test_played_twice(cassette):
    get("/a"), get("/b"), get("/a")

def test_past_it(cassette):
    get("/a"), get("/b")
    with contextlib.suppress(BaseException):
        socket.create_connection(("127.0.0.1", 9))

def test_past_it_by_name(cassette):
    get("/a"), get("/b")
    with contextlib.suppress(BaseException):
        socket.getaddrinfo("example.com", 443)

async def test_past_it_asynchronously(cassette):
    import asyncio
    get("/a"), get("/b")
    with contextlib.suppress(BaseException):
        await asyncio.open_connection("127.0.0.1", 9)

def test_missing(cassette):
    pass

def test_afterwards_everything_is_as_before():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
"""
RECORDING = """
import httpx2, os, pytest

def test_two(cassette):
    with httpx2.Client(base_url=os.environ["URL"], trust_env=False) as client:
        assert [client.get(path).status_code for path in ("/a", "/b")] == [200, 404]

def test_nothing(cassette):
    pass
"""


def test_a_test_fails_that_does_not_play_exactly_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "test_first.py").write_text(RECORDING)
    api = FakeApi()
    api.on("GET /a", {})
    done = run_pytest(tmp_path, SETTLE_RECORD_CASSETTES="1", URL=api.url)
    api.close()
    assert "2 passed, 1 error" in done.stdout, done.stdout
    assert "nothing was recorded" in done.stdout
    (tmp_path / "test_first.py").rename(tmp_path / "test_second.py")
    (tmp_path / "test_second.py").write_text(GUARDED)
    tapes = tmp_path / "cassettes/test_second"
    tapes.mkdir()
    tape = (tmp_path / "cassettes/test_first/test_two.yaml").read_text()
    for line in GUARDED.splitlines():
        if "def test_" in line and "missing" not in line:
            name = line.split("def ")[1].split("(")[0]
            (tapes / f"{name}.yaml").write_text(tape)
    done = run_pytest(tmp_path, "-rE", "--tb=short")
    assert "8 passed, 7 errors" in done.stdout, done.stdout
    for said in (
        "not played: GET http://127.0.0.1/b",
        "not on it: GET http://127.0.0.1/c?token=%5Bremoved%5D",
        "not on it: GET http://127.0.0.1/a",
        "past it, a connection to 127.0.0.1:9",
        "past it, a connection to example.com",
        "test_missing.yaml; record it: SETTLE_RECORD_CASSETTES=1 pytest",
    ):
        assert said in done.stdout, said
    assert "very-secret" not in done.stdout.replace('get("/c?token=very-secret")', "")
