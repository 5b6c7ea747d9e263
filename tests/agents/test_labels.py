"""Labels: trust only ever goes down on the way, and an owner is never lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.policy.labels import PLAN, SEVERAL, UNTRUSTED, Integrity, Label, Labelled, join_all

OWNERS = st.sampled_from([None, "ada@example.com", "bob@example.com"])
LABELS = st.builds(
    Label, integrity=st.sampled_from(Integrity), origins=st.frozensets(st.sampled_from("abc")), owner=OWNERS
)


@given(LABELS, LABELS, LABELS)
def test_join_is_a_meet_in_any_order(one: Label, two: Label, three: Label) -> None:
    assert one.join(one) == one
    assert one.join(two) == two.join(one)
    assert one.join(two).join(three) == one.join(two.join(three))


@given(st.lists(LABELS, min_size=1))
def test_a_join_is_never_stronger_than_any_of_its_parts(labels: list[Label]) -> None:
    joined = join_all(labels)
    assert joined.integrity == min(label.integrity for label in labels)
    assert all(label.origins <= joined.origins for label in labels)
    owners = {label.owner for label in labels} - {None}
    assert joined.owner == (None if not owners else owners.pop() if len(owners) == 1 else SEVERAL)


def test_of_nothing_it_is_the_plans() -> None:
    assert join_all([]) == PLAN


ITEMS = Labelled(
    data={"items": [{"id": "1", "note": "x", "deep": {"a": 1}}], "count": 1},
    label=UNTRUSTED,
    parts={
        ("items",): Label(integrity=Integrity.SYSTEM),
        ("items", "note"): UNTRUSTED,
        ("items", "deep", "a"): Label(integrity=Integrity.DIRECTORY),
    },
)


@pytest.mark.parametrize(
    "path, data, integrity",
    [
        (("items", 0, "id"), "1", Integrity.SYSTEM),
        (("items", 0, "note"), "x", Integrity.UNTRUSTED),
        (("items", 0, "deep", "a"), 1, Integrity.DIRECTORY),
        (("count",), 1, Integrity.UNTRUSTED),
    ],
)
def test_the_longest_prefix_counts(path: tuple[str | int, ...], data: object, integrity: Integrity) -> None:
    whole, stepwise = ITEMS.at(path), ITEMS
    for part in path:
        stepwise = stepwise.at((part,))
    assert (whole.data, whole.label.integrity) == (data, integrity)
    assert stepwise == whole


@pytest.mark.parametrize("path", [("nothing",), ("items", 3), ("items", "id"), ("count", "x"), ("items", 0, "id", 0)])
def test_nothing_there(path: tuple[str | int, ...]) -> None:
    with pytest.raises(LookupError):
        ITEMS.at(path)


def test_reach_stops_where_the_path_ends() -> None:
    assert ITEMS.reach(("items", 0, "note", "upper")) == ITEMS.at(("items", 0, "note"))
    assert ITEMS.reach(("nothing",)) == ITEMS


def test_weakest_of_a_record_counts_its_parts_and_of_a_scalar_itself() -> None:
    assert ITEMS.at(("items", 0)).weakest().integrity is Integrity.UNTRUSTED
    assert ITEMS.at(("items", 0, "id")).weakest().integrity is Integrity.SYSTEM


@given(LABELS)
def test_weakened_and_owned_reach_every_part(by: Label) -> None:
    weakened = ITEMS.weakened(by)
    assert weakened.data == ITEMS.data
    assert all(label.integrity <= by.integrity for label in (weakened.label, *weakened.parts.values()))
    owned = ITEMS.owned("ada@example.com")
    assert {label.owner for label in (owned.label, *owned.parts.values())} == {"ada@example.com"}
