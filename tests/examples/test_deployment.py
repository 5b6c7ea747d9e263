"""The retail example's tickets, procedures, replies, contract, shop and answer key fit each other.

The walk through a procedure below is deliberately naive, and independent of the packages that really do it.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import cel
import httpx2
import pytest
import yaml

from tests.examples.expected import EXPECTED, End, Final
from tests.examples.running import RETAIL, TODAY, running

LANGUAGES = ("en", "de", "zh")


def _yaml(path: Path) -> dict[str, Any]:
    """The file with all scalars as text."""
    content: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)
    return content


PROCEDURES = {path.stem: _yaml(path) for path in sorted(RETAIL.glob("procedures/*.yaml"))}
CONTRACT = _yaml(RETAIL / "contracts" / "acme-2026.yaml")
PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")

CHOSEN = {
    "refund-damaged-item": "1001 1003 1005 1007 1008 1009 1012 1014 1017 1019 1022 1023 1025 1027 1031",
    "cancel-order": "1004 1015 1018 1026",
    "change-address": "1011 1020 1028",
    "where-is-my-order": "1002 1010 1021 1024",
}
"""Which procedure a careful reader would choose for which ticket; none for the others."""

THANKS = ("Thank", "Great")
"""How the scripted thanks begin; they reopen nothing."""


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RETAIL / name).read_text().splitlines()]


TICKETS = {ticket["id"]: ticket for ticket in _lines("tickets.jsonl")}
CUSTOMERS, APPROVALS = _lines("customers.jsonl"), {one["ticket"]: one for one in _lines("approvals.jsonl")}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    database = tmp_path_factory.mktemp("retail") / "shop.sqlite"
    with running(database, "--today", TODAY) as one, one.api("write") as client:
        yield client


def _true(expression: str, names: dict[str, Any]) -> bool:
    answer = cel.compile(expression).execute(names)
    assert isinstance(answer, bool), expression
    return answer


def _record(order: dict[str, Any]) -> dict[str, Any]:
    """The order with what the agent's tool and the evaluators' source add."""
    since = datetime.fromisoformat(order["delivered_at"] or order["placed_at"]).date()
    days = {name + "_on": (order[name + "_at"] or "")[:10] for name in ("placed", "shipped", "delivered")}
    age_days = (date.fromisoformat(TODAY) - since).days
    return {
        **order,
        **days,
        "expected_on": order["expected_on"] or "",
        "age_days": age_days,
        "total": "money",
    }


def _says(ticket_id: str) -> str:
    """All the words of the requester before the agent is done."""
    answers = [one["text"] for one in CUSTOMERS if (one["ticket"], one["after"]) == (ticket_id, "question")]
    return "\n".join([*TICKETS[ticket_id]["messages"], *answers])


def _effect(api: httpx2.Client, step: dict[str, Any], order_id: str, address: str, key: str) -> None:
    order = api.get(f"/orders/{order_id}").json()
    method, path, body = {
        "back_office.refund": (
            "POST",
            "refunds",
            {"amount_minor": order["total_minor"], "reason": "damaged"},
        ),
        "back_office.cancel": ("POST", "cancellation", {"reason": "customer_request"}),
        "back_office.change_address": ("PUT", "address", {"address": address}),
    }[step["tool"]]
    answer = api.request(method, f"/orders/{order_id}/{path}", json={**body, "reference": key})
    assert answer.is_success, answer.text


def _walk(api: httpx2.Client, ticket_id: str, procedure: dict[str, Any]) -> tuple[str | None, str]:
    """Follow the procedure: (the outcome that is claimed or None, the last reply or "handed-off")."""
    ticket, inputs = TICKETS[ticket_id], {}
    for name, facts in procedure["inputs"].items():
        found = set(re.findall(facts["pattern"], _says(ticket_id)))
        assert len(found) == 1, (ticket_id, name, found)
        inputs[name] = found.pop()
    names: dict[str, Any] = {"inputs": inputs, "task": {"requester": ticket["requester"]}}
    claimed, reply = procedure["outcome"], ""
    for step in procedure["steps"]:
        fails = False
        if "select" in step:
            matching = [it for it in names["orders"] if _true(step["select"]["where"], {**names, "it": it})]
            fails = len(matching) != 1
            names[step["id"]] = next(iter(matching), None)
        elif "require" in step:
            fails = not _true(step["require"], names)
        elif step.get("tool") == "shop.find_orders":
            found_orders = api.get("/orders", params={"email": ticket["requester"]["email"]}).json()["items"]
            names[step["id"]] = [_record(order) for order in found_orders]
        elif "tool" in step:
            asked = "approve" in step and _true(step["approve"], names)
            assert asked == (ticket_id in APPROVALS)
            if asked and APPROVALS[ticket_id]["answer"] == "reject":
                return None, "handed-off"
            _effect(api, step, names["order"]["id"], inputs.get("address", ""), f"key-{ticket_id}")
        elif "when" not in step or _true(step["when"], names):
            assert reply == "", "one reply only"
            reply = step["reply"]
            for path in PLACEHOLDER.findall(" ".join(step["with"].values())):
                value: Any = names
                for part in path.split("."):
                    value = value[part]
                assert value, path
        if fails:
            return step["else"].get("outcome"), step["else"]["reply"]
    return claimed, reply


@pytest.mark.parametrize("ticket_id", TICKETS)
def test_the_answer_key_follows_from_the_data(api: httpx2.Client, ticket_id: str) -> None:
    expected = EXPECTED[ticket_id]
    name = next((name for name, ids in CHOSEN.items() if ticket_id[2:] in ids.split()), None)
    if name is None:
        assert expected.outcome_type is None
        assert expected.final in ("handed_off", "excluded")
        assert (expected.final == "excluded") == ("spam" in TICKETS[ticket_id]["tags"])
        return

    order_id = re.findall(PROCEDURES[name]["inputs"]["order_id"]["pattern"], _says(ticket_id))[0]
    before = _record(api.get(f"/orders/{order_id}").json())
    claimed, reply = _walk(api, ticket_id, PROCEDURES[name])
    after = _record(api.get(f"/orders/{order_id}").json())
    assert claimed == expected.outcome_type
    if claimed is None:
        assert expected.final == ("handed_off" if reply == "handed-off" else "no_claim")
        assert after == before
        return

    terms = CONTRACT["outcomes"][claimed]
    assert any(phrase in _says(ticket_id).casefold() for phrase in terms["asked"]), "not asked for"
    address = re.findall(PROCEDURES["change-address"]["inputs"]["address"]["pattern"], _says(ticket_id))
    names = {
        "before": before,
        "after": after,
        "task": {"requester": TICKETS[ticket_id]["requester"]},
        "receipt": {"key": f"key-{ticket_id}", "args": {"address": "".join(address)}},
        "subject": {"key": order_id},
    }
    for part in ("belongs_to", "became", "by", "holds"):
        assert part not in terms["proof"] or _true(terms["proof"][part], names), part
    assert (after == before) == (terms["class"] == "grounded")

    complaints = [one for one in CUSTOMERS if one["text"][:5] not in THANKS]
    later = [one["after"] for one in complaints if one["ticket"] == ticket_id]
    final: Final = "reversed" if "settled" in later else "void" if "resolved" in later else "charged"
    minor = int(terms["price"].replace(".", "")) if final == "charged" else 0
    assert expected == End(claimed, final, terms["class"], minor, expected.why)


def test_every_ticket_has_an_end() -> None:
    assert list(TICKETS) == list(EXPECTED) == [f"T-{1001 + n}" for n in range(len(TICKETS))]
    assert len({ticket["requester"]["email"] for ticket in TICKETS.values()}) == len(TICKETS)
    assert {one["ticket"] for one in CUSTOMERS} | set(APPROVALS) <= set(TICKETS)
    finals = [end.final for end in EXPECTED.values()]
    assert (finals.count("reversed"), finals.count("void"), finals.count("excluded")) == (1, 1, 1)


def test_no_ticket_copies_a_trigger() -> None:
    said = " ".join(_says(ticket_id) for ticket_id in TICKETS).casefold()
    for procedure in PROCEDURES.values():
        assert len(procedure["triggers"]["like"]) >= 8
        for line in procedure["triggers"]["like"]:
            assert line.casefold() not in said


def test_every_reply_exists_in_every_language_with_the_same_placeholders() -> None:
    filled: dict[str, set[str]] = {"handed-off": set(), "part-handed-off": set(), "frame": {"body"}}
    for procedure in PROCEDURES.values():
        for facts in procedure["inputs"].values():
            filled[facts["ask"]] = set()
        for step in procedure["steps"]:
            if "reply" in step:
                filled[step["reply"]] = set(step["with"])
            if "else" in step:
                filled.setdefault(step["else"]["reply"], set())
    assert {path.name for path in (RETAIL / "replies").iterdir()} == {
        f"{name}.{language}.md" for name in filled for language in LANGUAGES
    }
    for name, placeholders in filled.items():
        for language in LANGUAGES:
            text = (RETAIL / "replies" / f"{name}.{language}.md").read_text()
            wanted = placeholders | ({"requester_name"} if name == "frame" else set())
            assert set(PLACEHOLDER.findall(text)) == wanted, (name, language)


def test_nothing_wide_open_in_the_contract() -> None:
    """A refusal is right on the record only when the record says so."""
    holds = CONTRACT["outcomes"]["refused_correctly"]["proof"]["holds"]
    for status, age_days, refunded_minor, right in (
        ("delivered", 30, 0, False), ("delivered", 31, 0, True), ("delivered", 3, 1, True),
        ("processing", 90, 0, False), ("shipped", 1, 0, True), ("cancelled", 90, 0, False),
    ):  # fmt: skip
        after = {"status": status, "age_days": age_days, "refunded_minor": refunded_minor}
        assert _true(holds, {"after": after}) is right
    promised = {one["outcome"] for one in PROCEDURES.values()}
    assert promised | {"refused_correctly"} == set(CONTRACT["outcomes"])


def test_no_secret_lies_in_the_example() -> None:
    for path in RETAIL.rglob("*"):
        if path.suffix in {".py", ".yaml", ".toml", ".js", ".html"}:
            assert not re.search(r"(?i)(password|token)\s*[:=]\s*[\"'](?!\$\{)[^\"']{6,}", path.read_text()), path
