"""Malformed exports: what is sound is taken, what is not is listed with its row, and nothing is taken twice or lost."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import BadTicketFile
from service.intake import Intake, RowProblem, Taken, read_tickets, stream_tickets
from tests.service.test_intake import KINDS, _files


def read(folder: Path, name: str, content: str | bytes) -> Intake:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_tickets(file, requester="emma@example.com")


def table(*rows: tuple[str, ...], header: tuple[str, ...] = ("id", "email", "text")) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue()


WORDS = {
    "de": "Guten Tag, die Schüssel kam beschädigt an. Ich möchte mein Geld zurück. Grüße, Jürgen",
    "zh": "你好，我的杯子收到时碎了，订单号是一一八七四，我要退款。谢谢你们的帮助！",
    "fr": "Bonjour, où est ma commande ? Elle n'est pas arrivée. Merci, Éloïse à Orléans",
}


@pytest.mark.parametrize(
    "encoding, language, said",
    [
        ("utf-8", "de", None),
        ("utf-8-sig", "zh", None),
        ("utf-16", "de", "UTF-16"),
        ("utf-16", "zh", "UTF-16"),
        ("utf-16-le", "de", "UTF-16 without a mark"),
        ("utf-16-be", "fr", "UTF-16 without a mark"),
        ("cp1252", "de", "Windows-1252"),
        ("cp1252", "fr", "Windows-1252"),
        ("gb18030", "zh", "GB18030"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "txt"])
def test_an_encoding_is_recognised_and_said(
    tmp_path: Path, encoding: str, language: str, said: str | None, kind: str
) -> None:
    words = WORDS[language]
    row = {"id": "A", "email": "a@b.example", "text": words}
    content = {
        "csv": table(("A", "a@b.example", words)),
        "json": json.dumps([row], ensure_ascii=False),
        "jsonl": json.dumps(row, ensure_ascii=False) + "\n",
        "txt": words,
    }[kind]
    found = read(tmp_path, f"export.{kind}", content.encode(encoding))
    assert found.tickets[0].messages == (words,)
    assert [one.kept for one in found.problems] == ([] if said is None else [True])
    assert said is None or f"was read as {said}," in found.problems[0].message


@pytest.mark.parametrize("name", ["export.csv", "export.jsonl"])
def test_a_letter_that_is_none_is_a_note_at_its_row(tmp_path: Path, name: str) -> None:
    rows = [{"id": one, "email": "a@b.example", "text": f"Grüße {one}"} for one in "ABC"]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    if name.endswith("csv"):
        text = table(*((one["id"], one["email"], one["text"]) for one in rows))
    found = read(tmp_path, name, text.encode().replace("Grüße B".encode(), b"Gr\xfc\xdfe B"))
    assert [ticket.messages[0] for ticket in found.tickets] == ["Grüße A", "Gr\ufffd\ufffde B", "Grüße C"]
    (note,) = found.problems
    assert (note.row, note.kept) == (3 if name.endswith("csv") else 2, True)


def test_a_file_cut_inside_a_letter_keeps_its_encoding(tmp_path: Path) -> None:
    whole = table(("A", "a@b.example", "杯子"), ("B", "a@b.example", "碎了")).encode().rstrip()
    found = read(tmp_path, "a.csv", whole[:-1])
    assert [ticket.messages[0] for ticket in found.tickets] == ["杯子", "碎\ufffd\ufffd"]
    assert [(one.row, one.kept) for one in found.problems] == [(3, True)]


@pytest.mark.parametrize(
    "content, why",
    [
        (b"PK\x03\x04\x14\x00\x06\x00xl/workbook.xml", "Excel"),
        (b"\x1f\x8b\x08\x00abc", "compressed"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "picture"),
        (b"%PDF-1.7\nemail,text\n", "PDF"),
        (b"\x00\x01\x02\x00\x00\x00email\x00\x00text\x00\x00", "NUL"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "txt", ""])
def test_a_binary_file_with_the_name_of_a_text_is_refused(tmp_path: Path, content: bytes, why: str, kind: str) -> None:
    with pytest.raises(BadTicketFile, match=why):
        read(tmp_path, f"export.{kind}", content)


@pytest.mark.parametrize("cut", ["", ",", ", ", ', {"id": "C", "ema', ', {"id": "C"', "\x00"])
def test_of_half_a_json_list_the_whole_items_are_taken(tmp_path: Path, cut: str) -> None:
    rows = ", ".join(json.dumps({"id": one, "email": "a@b.example", "text": "x"}) for one in "AB")
    found = read(tmp_path, "a.json", f"[{rows}{cut}")
    assert [ticket.id for ticket in found.tickets] == ["A", "B"]
    assert [problem.row for problem in found.refused] == [3]
    assert "read" in found.refused[0].message
    with pytest.raises(BadTicketFile, match="cut off"):
        read(tmp_path, "b.json", '[{"id": "A", "ema')


def test_of_half_a_file_of_json_lines_the_whole_lines_are_taken(tmp_path: Path) -> None:
    row = '{"id": "%s", "email": "a@b.example", "text": "x"}\n'
    found = read(tmp_path, "a.jsonl", row % "A" + row % "B" + (row % "C")[:30])
    assert [ticket.id for ticket in found.tickets] == ["A", "B"]
    assert [problem.row for problem in found.refused] == [3]


def test_a_quotation_mark_that_is_never_closed_costs_one_line(tmp_path: Path) -> None:
    text = table(*((f"R{n}", "a@b.example", f'said "{n}",\nand more') for n in range(2, 20)))
    lines = text.split("\r\n")
    lines[7] = lines[7].replace('"said', '"said "', 1).replace('""', '"')
    broken = "\r\n".join([*lines[:4], 'X,a@b.example,"never closed', *lines[4:]])
    found = read(tmp_path, "a.csv", broken)
    ids = {ticket.id for ticket in found.tickets}
    assert {f"R{n}" for n in range(10, 20)} <= ids
    assert {"R2", "R3", "R4"} <= ids
    assert "X" not in ids
    assert any("not closed" in one.message for one in found.refused)


@pytest.mark.parametrize("hostile", ["a" * 40_000_000, '"' + "a" * 40_000_000, "a,b," * 8_500_000])
def test_a_huge_line_is_left_out_and_the_next_ones_are_taken(tmp_path: Path, hostile: str) -> None:
    text = f"id,email,text\nA,a@b.example,x\n{hostile}\nB,a@b.example,y\n"
    found = read(tmp_path, "a.csv", text)
    assert [ticket.id for ticket in found.tickets] == ["A", "B"]
    assert len(found.refused) == 1
    lines = [json.dumps({"id": "A", "email": "a@b.example", "text": "x"}), hostile]
    found = read(tmp_path, "a.jsonl", "\n".join([*lines, lines[0].replace('"A"', '"B"')]))
    assert [ticket.id for ticket in found.tickets] == ["A", "B"]


def test_nul_bytes_are_taken_out(tmp_path: Path) -> None:
    text = table(
        ("A", "a@b.example", "where is\0 my order, it has not come for two weeks now"), ("B", "c@d.example", "x")
    )
    found = read(tmp_path, "a.csv", text)
    assert [ticket.messages[0][:17] for ticket in found.tickets] == ["where is my order", "x"]
    found = read(tmp_path, "a.jsonl", '{"id": "A", "email": "a@b.example", "text": "where is\0 my order"}\n')
    assert found.tickets[0].messages == ("where is my order",)


def test_the_same_id_with_other_words_is_listed_and_not_taken(tmp_path: Path) -> None:
    found = read(
        tmp_path, "a.csv", table(("A", "a@b.example", "x"), ("A", "a@b.example", "x"), ("A", "a@b.example", "y"))
    )
    assert [ticket.messages for ticket in found.tickets] == [("x",)]
    assert [(one.row, one.kept) for one in found.problems] == [(3, True), (4, False)]


HEADERS = {
    "zendesk": (
        ("Summation column", "Id", "Requester", "Requester id", "Requester email", "Subject", "Tags", "Status"),
        ("1", "4711", "Ada Lind", "9", "ada@example.com", "Where is it?", "vip", "open"),
        ("Summation column", "Requester id", "Status"),
    ),
    "freshdesk": (
        ("Ticket ID", "Subject", "Description", "Status", "Tags", "Full name", "Title", "Email"),
        ("4711", "Where is it?", "I wait", "Open", "vip", "Ada Lind", "Dr.", "ada@example.com"),
        ("Status", "Title"),
    ),
    "intercom": (
        ("conversation_id", "message_body", "message_author_name", "message_author_email", "conversation_tags"),
        ("4711", "I wait", "Ada Lind", "ada@example.com", "vip"),
        (),
    ),
    "own": (
        ("TICKET-ID", "Customer Email", "customer_name", "Ticket Subject", "First Message", "Labels"),
        ("4711", "ada@example.com", "Ada Lind", "Where is it?", "I wait", "vip"),
        (),
    ),
}


@pytest.mark.parametrize("desk", HEADERS)
def test_the_columns_of_the_common_desks_are_known(tmp_path: Path, desk: str) -> None:
    header, row, unused = HEADERS[desk]
    found = read(tmp_path, "a.csv", table(row, header=header))
    (ticket,) = found.tickets
    assert (ticket.id, ticket.requester.email, ticket.requester.name) == ("4711", "ada@example.com", "Ada Lind")
    assert tuple(ticket.tags) == ("vip",)
    assert "I wait" in ticket.messages or ticket.subject == "Where is it?"
    notes = [one.message for one in found.problems if one.row == 1]
    assert notes == ([f"these columns are not used: {', '.join(unused)}"] if unused else [])


def test_an_export_that_is_one_object_has_its_tickets_in_a_list(tmp_path: Path) -> None:
    rows = [{"id": n, "requester": {"email": "a@b.example"}, "description": "x"} for n in (1, 2)]
    found = read(tmp_path, "a.json", json.dumps({"count": 2, "tickets": rows}))
    assert [ticket.id for ticket in found.tickets] == ["1", "2"]


def test_a_mailbox_that_is_cut_in_a_mail(tmp_path: Path) -> None:
    mail = (
        "From x\nFrom: a@b.example\nSubject: s\nMessage-ID: <{0}@b>\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nwords {0}\n--b\n'
        "Content-Type: text/plain\n\nmore\n--b--\n\n"
    )
    whole = mail.format(1) + mail.format(2)
    found = read(tmp_path, "a.mbox", whole[: whole.rindex("words 2") + 5])
    assert [ticket.messages[0].strip() for ticket in found.tickets] == ["words 1", "words"]
    assert [(one.row, one.kept, "cut off" in one.message) for one in found.problems] == [(2, True, True)]


def test_a_large_table_takes_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    words = "the box was crushed and I would like to know what happens now " * 20
    with file.open("w") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "email", "text"])
        writer.writerows((f"T-{n}", f"c{n}@example.com", f"{words}{n}") for n in range(6_000))
    tracemalloc.start()
    try:
        count = sum(isinstance(one, Taken) for one in stream_tickets(file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 6_000
    assert file.stat().st_size > 7_000_000
    assert peak < 4_000_000


_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
_address = st.sampled_from(["a@b.example", "c@d.example", "nobody", "", "A@B.example "])
_row = st.tuples(st.sampled_from(["", "A", "B", "#1", "C", "D"]), _address, _words)


def _accounted(found: Iterator[Taken | RowProblem], rows: int, first: int) -> None:
    """Every row is taken, or listed as left out or as the same as another: exactly one of these."""
    seen: Counter[int] = Counter()
    ids = set()
    for one in found:
        if isinstance(one, Taken):
            assert one.ticket.id not in ids
            ids.add(one.ticket.id)
            seen[one.row] += 1
        elif not one.kept or "same ticket" in one.message:
            seen[one.row] += 1
    assert seen == Counter(range(first, first + rows))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_row, min_size=1, max_size=12), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_every_row_is_taken_or_listed(tmp_path: Path, rows: list[tuple[str, ...]], encoding: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(table(*rows).encode(encoding))
    blank = sum(not any(one.strip() for one in row) for row in rows)
    if not blank:
        _accounted(stream_tickets(file), len(rows), first=2)
    items = [dict(zip(("id", "email", "text"), row, strict=True)) for row in rows]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(items), encoding=encoding)
    _accounted(stream_tickets(file), len(rows), first=1)
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(map(json.dumps, items)), encoding=encoding)
    _accounted(stream_tickets(file), len(rows), first=1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=_files, kind=st.sampled_from(KINDS))
def test_of_any_bytes_no_row_is_taken_twice(tmp_path: Path, data: bytes, kind: str) -> None:
    file = tmp_path / f"any.{kind}"
    file.write_bytes(data)
    try:
        found = list(stream_tickets(file, requester="emma@example.com"))
    except BadTicketFile:
        return
    rows = Counter(one.row for one in found if isinstance(one, Taken))
    assert set(rows.values()) <= {1}
    left_out = {one.row for one in found if isinstance(one, RowProblem) and not one.kept}
    assert not left_out & rows.keys()
