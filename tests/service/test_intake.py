"""Files of tickets: sound rows are taken, unsound ones are listed, and nothing in a file does harm."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import BadTicketFile
from service.intake import (
    MAX_MESSAGE_CHARS,
    MAX_SUBJECT_CHARS,
    Intake,
    RowProblem,
    email_address,
    read_tickets,
)
from tests.service.builders import RETAIL

KINDS = ("txt", "md", "eml", "json", "jsonl", "ndjson", "csv", "mbox", "dat", "")
FROM = "emma@example.com"


def intake(folder: Path, name: str, content: str | bytes, requester: str = FROM) -> Intake:
    """What is read from a file of that name and content."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_tickets(file, requester=requester)


def test_the_example_is_read_whole() -> None:
    found = read_tickets(RETAIL / "tickets.jsonl")
    lines = (RETAIL / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    assert [ticket.id for ticket in found.tickets] == [json.loads(line)["id"] for line in lines]
    assert found.problems == ()
    angry = next(ticket for ticket in found.tickets if ticket.subject == "DISGRACEFUL")
    assert len(angry.messages) == 2
    assert next(ticket for ticket in found.tickets if ticket.tags).tags == ("spam",)


def test_a_text_file_is_one_ticket_of_the_named_requester(tmp_path: Path) -> None:
    (ticket,) = intake(tmp_path, "mail.txt", "\n\n  Where is it?  \nOrder 11975.\n", "Emma@Example.COM").tickets
    assert ticket.subject == "Where is it?"
    assert ticket.messages == ("\n\n  Where is it?  \nOrder 11975.\n",)
    assert ticket.requester.email == "emma@example.com"
    assert re.fullmatch(r"t-[0-9a-f]{12}", ticket.id)


def test_a_long_first_line_is_cut_for_the_subject_alone(tmp_path: Path) -> None:
    (ticket,) = intake(tmp_path, "mail.md", "x" * 500).tickets
    assert (len(ticket.subject), len(ticket.messages[0])) == (120, 500)


def test_a_text_file_without_a_requester_is_refused(tmp_path: Path) -> None:
    found = intake(tmp_path, "mail.txt", "Where is it?", requester="")
    assert found.tickets == ()
    assert "--from" in found.refused[0].message


def test_the_same_file_twice_is_the_same_tickets(tmp_path: Path) -> None:
    one = intake(tmp_path, "a.csv", "email,text\na@b.example,one\na@b.example,two\n")
    two = intake(tmp_path, "b.csv", "email,text\na@b.example,two\na@b.example,one\n")
    assert {ticket.id for ticket in one.tickets} == {ticket.id for ticket in two.tickets}
    assert len({ticket.id for ticket in one.tickets}) == 2


@pytest.mark.parametrize("name", [f"file.{kind}" for kind in KINDS])
def test_zero_bytes_are_a_clear_problem(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadTicketFile, match=r"0 bytes"):
        intake(tmp_path, name, b"")


def test_a_file_that_is_none_is_a_clear_problem(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.txt", "no such file"), (tmp_path, "not a file")):
        with pytest.raises(BadTicketFile, match=why):
            read_tickets(path)


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.txt"
    with file.open("wb") as sparse:
        sparse.truncate(50 * 1024 * 1024 + 1)
    with pytest.raises(BadTicketFile, match="50 MB"):
        read_tickets(file, requester=FROM)


def test_words_that_are_none_are_a_ticket_with_a_note(tmp_path: Path) -> None:
    found = intake(tmp_path, "a.json", '{"email": "a@b.example", "text": " \\u0000\\n "}')
    (ticket,) = found.tickets
    assert ticket.messages == ("",)
    assert found.problems == (RowProblem(row=1, message="has no words: it will be handed to a person", kept=True),)


def test_a_message_of_a_megabyte_is_cut_and_said_to_be(tmp_path: Path) -> None:
    item = {"id": "big", "email": "a@b.example", "subject": "s" * 600, "messages": ["short", "x" * 1_000_000]}
    found = intake(tmp_path, "a.json", json.dumps(item))
    (ticket,) = found.tickets
    assert [len(message) for message in ticket.messages] == [5, MAX_MESSAGE_CHARS]
    assert len(ticket.subject) == MAX_SUBJECT_CHARS
    assert [problem.kept for problem in found.problems] == [True, True]
    assert "message 2 was cut from 1,000,000 to 100,000 characters" in [problem.message for problem in found.problems]
    (large,) = intake(tmp_path, "a.csv", "email,text\na@b.example," + "y" * 1_000_000).tickets
    assert len(large.messages[0]) == MAX_MESSAGE_CHARS


def test_control_characters_and_surrogates_are_replaced(tmp_path: Path) -> None:
    item = {"email": " EMMA@example.com ", "name": "E\x00\nm", "text": "a\x00b\x1b[31mc\td\r\ne\rf\x7f\x85 \ud800!"}
    (ticket,) = intake(tmp_path, "a.json", json.dumps(item)).tickets
    assert ticket.messages == ("ab[31mc\td\ne\nf \ufffd!",)
    assert ticket.requester.name == "E m"
    assert ticket.requester.email == "emma@example.com"


def test_text_that_is_not_utf_8_is_read_as_windows_1252(tmp_path: Path) -> None:
    found = intake(tmp_path, "a.txt", "Müll €5".encode("cp1252"))
    assert found.tickets[0].messages == ("Müll €5",)
    assert found.problems[0].kept
    assert "Windows-1252" in found.problems[0].message
    assert intake(tmp_path, "b.txt", "\ufeffMüll".encode()).tickets[0].messages == ("Müll",)


@pytest.mark.parametrize(
    "content, why",
    [("{", "not JSON"), ("[" * 200_000, "nested"), ('{"a": 1}\n{"a": 2}', ".jsonl"), ("", "0 bytes")],
)
def test_json_that_is_none_is_refused_as_a_whole(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(BadTicketFile, match=re.escape(why)):
        intake(tmp_path, "a.json", content)


def test_unsound_rows_are_listed_and_sound_ones_taken(tmp_path: Path) -> None:
    rows = [
        {"id": 17, "email": "a@b.example", "text": "x"},
        7,
        {"email": "a@b.example", "messages": "x"},
        {"email": "a@b.example", "messages": [1]},
        {"requester": "a@b.example", "text": "x"},
        {"email": ["a@b.example"], "text": "x"},
        {"email": "a@b.example", "text": "x", "tags": "spam"},
        {"email": "a@b", "text": "x"},
        {"text": "x"},
        {"requester": {"email": "c@d.example", "name": None}, "subject": "s", "body": "y", "unknown": {}},
    ]
    found = intake(tmp_path, "a.json", json.dumps(rows))
    assert [ticket.id for ticket in found.tickets][:1] == ["17"]
    assert len(found.tickets) == 2
    assert [problem.row for problem in found.refused] == [2, 3, 4, 5, 6, 7, 8, 9]


def test_ids_that_jobs_cannot_carry_are_replaced(tmp_path: Path) -> None:
    rows = [{"id": name, "email": "a@b.example", "text": "x"} for name in ("#1", "a:b", "-x", "é", "x" * 65, "ok.1_-")]
    found = intake(tmp_path, "a.json", json.dumps(rows))
    assert [ticket.id for ticket in found.tickets][-1] == "ok.1_-"
    assert len({ticket.id for ticket in found.tickets}) == 6
    assert all(re.fullmatch(r"t-[0-9a-f]{12}", ticket.id) for ticket in found.tickets[:-1])
    assert [problem.row for problem in found.problems if problem.kept] == [1, 2, 3, 4, 5]


def test_duplicates_in_one_file_are_taken_once(tmp_path: Path) -> None:
    row = '{"id": "A", "email": "a@b.example", "text": "x"}\n'
    found = intake(tmp_path, "a.jsonl", row + row + row.replace("x", "other"))
    assert [ticket.messages for ticket in found.tickets] == [("x",)]
    assert [(problem.row, problem.kept) for problem in found.problems] == [(2, True), (3, False)]


def test_a_table_is_read_by_its_header(tmp_path: Path) -> None:
    text = 'Id;Requester Email;Name;Subject;Body;Tags\r\nA;a@b.example;Ann;Hi;"one;\r\ntwo ""three""";vip, spam\r\n'
    (ticket,) = intake(tmp_path, "a.csv", text).tickets
    assert (ticket.id, ticket.requester.name, ticket.subject) == ("A", "Ann", "Hi")
    assert ticket.messages == ('one;\ntwo "three"',)
    assert ticket.tags == ("vip", "spam")


def test_bad_rows_of_a_table_are_listed(tmp_path: Path) -> None:
    rows = [
        "A,a@b.example,x",
        "B,a@b.example",
        "C,a@b.example,x,y",
        "",
        "D,nobody,x",
        'E,a@b.example,"x"y',
        "F,a@b.example,z",
    ]
    text = "\n".join(["id,email,text", *rows, ""])
    found = intake(tmp_path, "a.csv", text)
    assert [ticket.id for ticket in found.tickets] == ["A", "F"]
    assert [problem.row for problem in found.refused] == [3, 4, 6, 7]
    open_ended = intake(tmp_path, "b.csv", 'id,email,text\nA,a@b.example,x\nB,a@b.example,"y\nC,a@b.example,z\n')
    assert [ticket.id for ticket in open_ended.tickets] == ["A", "C"]
    assert [(one.row, "not closed" in one.message) for one in open_ended.refused] == [(3, True)]


@pytest.mark.parametrize(
    "text, why", [("id,text\nA,x\n", "no column email"), ("email,email\n", "twice"), ("email\n", "words")]
)
def test_a_table_without_the_columns_that_it_needs_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadTicketFile, match=why):
        intake(tmp_path, "a.csv", text)


MBOX = b"""From one
From: =?utf-8?q?Andr=C3=A9?= <Andre@Example.com>
Subject: =?utf-8?b?5p2v5a2Q56KO5LqG?=
Message-ID: <1@example.com>
Date: Mon, 02 Mar 2026 09:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="b"

--b
Content-Type: text/html; charset=utf-8

<p>no</p>
--b
Content-Type: text/plain; charset=utf-8

\xe6\x9d\xaf
--b--

From two
From: desk@shop.example
Subject: Re: mug
Message-ID: <2@shop.example>
In-Reply-To: <1@example.com>

Which order?

From five
From: andre@example.com
Message-ID: <5@example.com>
Date: Mon, 02 Mar 2026 12:00:00 +0000
References: <1@example.com> <2@shop.example>

Please.

From three
From: andre@example.com
Message-ID: <3@example.com>
Date: Mon, 02 Mar 2026 11:00:00 +0000
In-Reply-To: <2@shop.example>
Content-Type: text/html

<style>p {}</style><p>Order 11874 &amp;<br>thanks</p>

From four
From: andre@example.com
Auto-Submitted: auto-replied
Message-ID: <4@example.com>
In-Reply-To: <2@shop.example>

I am away.

From six
From: news@shop.example
Precedence: bulk

Buy!

From seven
Subject: nobody

?
"""


def test_a_thread_of_a_mailbox_is_one_ticket(tmp_path: Path) -> None:
    found = intake(tmp_path, "a.mbox", MBOX)
    (ticket,) = found.tickets
    assert ticket.requester.email == "andre@example.com"
    assert (ticket.requester.name, ticket.subject) == ("André", "杯子碎了")
    assert [message.strip() for message in ticket.messages] == ["杯", "Order 11874 &\nthanks", "Please."]
    assert [problem.row for problem in found.refused] == [2, 5, 6, 7]
    first_mail = MBOX.partition(b"From two")[0]
    assert intake(tmp_path, "b.mbox", first_mail).tickets[0].id == ticket.id


def test_mails_that_answer_each_other_in_a_circle_are_a_ticket(tmp_path: Path) -> None:
    mail = "From x\nFrom: a@b.example\nMessage-ID: <{}>\nIn-Reply-To: <{}>\n\n{}\n\n"
    found = intake(
        tmp_path, "a.mbox", mail.format("1", "3", "one") + mail.format("2", "1", "two") + mail.format("3", "2", "x")
    )
    assert len(found.tickets) == 1
    assert len(found.tickets[0].messages) == 3


def test_a_mail_twice_in_a_mailbox_is_taken_once(tmp_path: Path) -> None:
    mail = b"From x\nFrom: a@b.example\nMessage-ID: <1@b>\n\nhello\n\n"
    found = intake(tmp_path, "a.mbox", mail + mail)
    assert len(found.tickets) == 1
    assert [(problem.row, problem.kept) for problem in found.problems] == [(2, True)]


def test_a_mailbox_without_mail_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTicketFile, match="no mail"):
        intake(tmp_path, "a.mbox", "hello\n")


@pytest.mark.parametrize(
    "sender",
    ["", "From: nobody", "From: a@b.example, c@d.example", "From: " + "(" * 3000, "From: " + "a" * 5000 + "@b.example"],
)
def test_a_mail_without_one_sender_is_left_out(tmp_path: Path, sender: str) -> None:
    found = intake(tmp_path, "a.eml", f"{sender}\nSubject: x\n\nhello\n".lstrip())
    assert found.tickets == ()
    assert [problem.row for problem in found.refused] == [1]


@pytest.mark.parametrize("charset", ["no-such-charset", "punycode", "rot13", "utf-7", "unicode_escape"])
def test_a_strange_charset_is_read_as_utf_8(tmp_path: Path, charset: str) -> None:
    mail = f"From: a@b.example\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\nMüll\n"
    (ticket,) = intake(tmp_path, "a.eml", mail).tickets
    assert ticket.messages == ("Müll\n",)


@pytest.mark.parametrize("part", ["<a ", "<!--", "</", "<?", "<script><", "<style></", "&#", "<", "<p "])
def test_hostile_html_is_read(tmp_path: Path, part: str) -> None:
    mail = "From: a@b.example\nContent-Type: text/html\n\nhello<br>" + part * 200_000
    (ticket,) = intake(tmp_path, "a.eml", mail).tickets
    assert ticket.messages[0].startswith("hello")


@pytest.mark.parametrize(
    "content, tickets",
    [
        ('{"email": "a@b.example", "text": "x"}', 1),
        ('{"email": "a@b.example", "text": "x"}\n{"email": "a@b.example", "text": "y"}', 2),
        ('{\n"email": "a@b.example", "text": "x"}', 1),
        ('[{"email": "a@b.example", "text": "x"},\n {"email": "a@b.example", "text": "y"}]', 2),
        ("email,subject,text\na@b.example,x,y\na@b.example,x,z\n", 2),
        ("From x\nFrom: a@b.example\n\nx\n\nFrom y\nFrom: a@b.example\nSubject: s\n\ny\n", 2),
        ("From: a@b.example\nSubject: s\n\ny\n", 1),
        ("[urgent] Where is my order?\nIt is late.", 1),
        ("Dear all, where is my order, please?\n", 1),
    ],
)
def test_a_format_is_known_by_its_contents(tmp_path: Path, content: str, tickets: int) -> None:
    assert len(intake(tmp_path, "inbox", content).tickets) == tickets


def test_a_picture_is_no_ticket(tmp_path: Path) -> None:
    with pytest.raises(BadTicketFile, match="not a text"):
        intake(tmp_path, "a.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")


@pytest.mark.parametrize(
    "text, address",
    [
        (" A.B+c@Example.COM ", "a.b+c@example.com"),
        ("müller@exämple.de", "müller@exämple.de"),
        *(
            (bad, None)
            for bad in ("", "a", "@b.c", "a@b", "a@b..c", "a@.b", "a b@c.d", "a@b@c.d", "<a@b.c>", "a@b.c,d@e.f")
        ),
        ("a" * 65 + "@b.example", None),
        ("a@" + "b." * 130 + "example", None),
    ],
)
def test_what_an_address_looks_like(text: str, address: str | None) -> None:
    assert email_address(text) == address


_pieces = st.sampled_from(
    [b"From x\n", b"From: a@b.example\n", b"\n\n", b'{"email": "a@b.example", "text": "', b'"}', b"\\ud800", b"[", b"{",
     b"email,text\n", b"a@b.example,", b'"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"Content-Type: text/html\n", b"<p",
     b"Subject: =?utf-7?q?x?=\n", b"\x1b[31m", b"Content-Type: multipart/mixed; boundary=b\n", b"--b\n", b"\r", b"\x85"]
)  # fmt: skip
_files = st.one_of(
    st.binary(max_size=400), st.lists(st.one_of(_pieces, st.binary(max_size=12)), max_size=30).map(b"".join)
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=_files, kind=st.sampled_from(KINDS))
def test_any_bytes_give_clean_tickets_or_one_kind_of_error(tmp_path: Path, data: bytes, kind: str) -> None:
    file = tmp_path / (f"any.{kind}" if kind else "any")
    file.write_bytes(data)
    try:
        found = read_tickets(file, requester=FROM)
    except BadTicketFile:
        return
    again = read_tickets(file, requester=FROM)
    assert found == again
    ids = [ticket.id for ticket in found.tickets]
    assert len(ids) == len(set(ids))
    for ticket in found.tickets:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", ticket.id)
        assert email_address(ticket.requester.email) == ticket.requester.email
        texts = [ticket.subject, ticket.requester.name, ticket.requester.email, *ticket.messages, *ticket.tags]
        for text in texts:
            odd = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs")}
            assert odd <= {"\n", "\t"}
            assert len(text) <= MAX_MESSAGE_CHARS
        assert ticket.messages
