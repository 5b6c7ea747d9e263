"""No secret is left in what a cassette keeps, however it was written."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.testing.cleaning import REMOVED, Cleaner

SECRET = st.text(alphabet=string.ascii_letters + string.digits + '"\\/ +%&=äß', min_size=8, max_size=20)


def readings(text: str) -> Iterator[str]:
    """``text`` as everybody might read it."""
    yield from (text, unquote(text), unquote_plus(text))
    for line in text.splitlines():
        try:
            data = json.loads(line.removeprefix("data: "))
        except ValueError:
            continue
        yield json.dumps(data, ensure_ascii=False)
        yield from strings(data)


def strings(data: object) -> Iterator[str]:
    match data:
        case dict():
            for name, value in data.items():
                yield from (name, *strings(value))
        case list():
            for value in data:
                yield from strings(value)
        case _:
            yield str(data)


@given(secret=SECRET, name=st.sampled_from(["q", "page", "ä b"]))
def test_a_value_that_is_hidden_is_nowhere(secret: str, name: str) -> None:
    cleaner = Cleaner([secret])
    kept = [
        cleaner.address(f"https://x.example/a/{quote(secret, safe='')}?{urlencode({name: secret, secret: 1})}"),
        cleaner.address(f"https://{quote(secret, safe='')}@x.example:444/?{name}={quote(secret)}"),
        *cleaner.sent({"accept": secret, "x-other": secret}).values(),
        *(
            value
            for values in cleaner.answered({"x-said": [quote(secret)], "x-raw": [secret]}).values()
            for value in values
        ),
    ]
    bodies = {
        "application/json": [json.dumps({"a": [secret], secret: {name: f"is {secret}"}}), json.dumps(secret)],
        "text/event-stream": [f"event: x\ndata: {json.dumps([secret])}\n\ndata: [DONE]\n\n"],
        "application/x-www-form-urlencoded": [urlencode({name: secret}), f"a={quote(secret)}"],
        "text/plain": [f"it is {secret}.", quote_plus(secret)],
    }
    kept += [cleaner.body(body, kind).decode() for kind, texts in bodies.items() for body in texts]
    for text in kept:
        assert all(secret not in reading for reading in readings(text)), text


@pytest.mark.parametrize("name", ["token", "API_KEY", "access-token", "clientSecret", "password", "x-amz-signature"])
def test_a_field_or_parameter_of_a_secrets_name_is_emptied(name: str) -> None:
    cleaner = Cleaner()
    assert "4711" not in cleaner.address(f"https://x.example/?{name}=4711")
    assert json.loads(cleaner.body(json.dumps({"a": [{name: "4711"}]}), "application/json")) == {"a": [{name: REMOVED}]}
    assert b"4711" not in cleaner.body(f"{name}=4711&b=2", "application/x-www-form-urlencoded")


def test_what_is_no_secret_stays_byte_for_byte() -> None:
    cleaner = Cleaner(["hidden-value"])
    body = b'{ "max_tokens": 4096,\n "token_count": 7, "monkey": "x", "w": "\\u00e4" }'
    assert cleaner.body(body, "application/json") == body
    assert cleaner.body(b"\xff\xfe", "image/png") == b"\xff\xfe"
    assert cleaner.address("https://x.example:444/a%2Fb?page=1") == "https://x.example:444/a%2Fb?page=1"
    assert cleaner.address("http://127.0.0.1:43121/v1") == "http://127.0.0.1/v1"
