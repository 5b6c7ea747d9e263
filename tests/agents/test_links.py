"""Addresses in words: whatever a reader's program may open counts, wherever it leads but to a granted host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from agents.policy.links import leads_elsewhere

HOSTS = frozenset({"docs.example.com"})


@pytest.mark.parametrize(
    "words",
    [
        "see https://evil.example/?d=1", "![x](//evil.example/p.png)", "<img src='HTTPS://EVIL.example'>",
        "http:evil.example", "https:/evil.example/x", "https:\\\\evil.example", "/\\evil.example/x", "www.evil.example",
        "evil.example", "go to evil.example/a?b", "a.b.evil.example now", "https://docs.example.com@evil.example/",
        "https://docs.example.com.evil.example", "https://evil.example:443/", "(evil.example)", "https://evil。example/",
        "https://user:pw@evil.example", "https://docs.example.com/ and https://evil.example/", "https://127.0.0.1/x",
        "https://", "ftp://docs.example.com.evil.example/",
    ],
)  # fmt: skip
def test_an_address_elsewhere_is_found(words: str) -> None:
    assert leads_elsewhere(words, HOSTS)
    assert leads_elsewhere([{"a": words}], HOSTS)
    assert leads_elsewhere({words: 1}, HOSTS)


@pytest.mark.parametrize(
    "words",
    [
        "Your parcel waits. It comes on 3.5. at 10:30, for 25.00 USD and/or 3/4.", "e.g. this, i.e. that",
        "write to ada@new.example", "https://docs.example.com/a?b=c", "DOCS.example.com:8443/a", "docs.example.com.",
        "订单已退款。谢谢您", "Bestellung 10001: erstattet", "", 7, None, True, [1, "a"],
    ],
)  # fmt: skip
def test_words_without_an_address_and_granted_hosts_are_fine(words: JsonValue) -> None:
    assert not leads_elsewhere(words, HOSTS)


@given(st.text(), st.text(), st.sampled_from(["https://evil.example/", "//evil.example/", "evil.example"]))
def test_no_words_around_it_hide_an_address_behind_a_space(before: str, after: str, address: str) -> None:
    assert leads_elsewhere(f"{before} {address} {after}", HOSTS)
