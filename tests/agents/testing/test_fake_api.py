"""The API that tool authors put in the place of another system."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from agents.testing import Asked, FakeApi, LostAnswer, Refusal


@pytest.fixture
def api() -> Iterator[FakeApi]:
    made = FakeApi()
    yield made
    made.close()


def test_it_answers_what_it_was_told_and_keeps_what_it_was_asked(api: FakeApi) -> None:
    api.on("GET /orders", {"items": [1]})
    api.on("POST /orders", lambda asked: {"kept": asked.body["id"]})
    api.on("DELETE /orders", Refusal(status=409))
    with httpx2.Client(base_url=api.url, trust_env=False) as client:
        found = client.get("/orders", params={"email": "a@b", "page": ""}, headers={"X-Token": "t"})
        assert (found.status_code, found.json()) == (200, {"items": [1]})
        assert client.post("/orders", json={"id": "7"}).json() == {"kept": "7"}
        assert client.delete("/orders").status_code == 409
        assert client.get("/order").status_code == 404
        broken = client.post("/orders", content=b"no json")
        assert (broken.status_code, "TypeError" in broken.json()["error"]) == (500, True)
        api.on("GET /orders", {"items": []})
        assert client.get("/orders").json() == {"items": []}
    first, second, *_ = api.asked
    assert (first.method, first.path, first.query) == ("GET", "/orders", {"email": "a@b", "page": ""})
    assert (first.headers["x-token"], first.body, second.body) == ("t", None, {"id": "7"})
    with pytest.raises(ValueError, match="write 'GET /orders'"):
        api.on("/orders", {})


def test_an_answer_can_be_lost_after_the_effect(api: FakeApi) -> None:
    done = []

    def effect(asked: Asked) -> object:
        done.append(asked.body)
        raise LostAnswer

    api.on("POST /refunds", effect)
    with httpx2.Client(base_url=api.url, trust_env=False) as client, pytest.raises(httpx2.HTTPError):
        client.post("/refunds", json={"id": "7"})
    assert done == [{"id": "7"}]
