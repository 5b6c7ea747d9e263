"""Attachments of tickets in files: kept with clean names and true types, or left out with the reason; never fetched."""

from __future__ import annotations

import asyncio
import base64
import json
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.clock import SystemClock
from service.attachments import MAX_BYTES, MAX_KEPT
from service.database import Database
from service.helpdesks.embedded import EmbeddedHelpdesk
from service.intake import Intake, read_tickets
from service.intake.attachments import MAX_NAME_CHARS, MAX_TICKET_BYTES, checked

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels"
PDF = b"%PDF-1.7\n..."
FROM = "Ada <ada@example.com>"


def mail(*files: tuple[str, str, bytes], message_id: str = "<1@example.com>", answers: str = "") -> EmailMessage:
    """A mail with attachments: (name, stated type, bytes)."""
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = FROM, "Broken", message_id
    if answers:
        message["In-Reply-To"] = answers
    message.set_content(f"It arrived broken. {message_id}")
    for name, stated, data in files:
        kind, _, subtype = stated.partition("/")
        message.add_attachment(data, maintype=kind, subtype=subtype, filename=name)
    return message


def read(folder: Path, *mails: EmailMessage) -> Intake:
    if len(mails) == 1:
        (folder / "a.eml").write_bytes(bytes(mails[0]))
        return read_tickets(folder / "a.eml")
    (folder / "a.mbox").write_bytes(b"".join(b"From x\n" + bytes(one) + b"\n" for one in mails))
    return read_tickets(folder / "a.mbox")


def from_json(folder: Path, attachments: Any) -> Intake:
    item = {"id": "A", "email": "a@b.example", "text": "x", "attachments": attachments}
    (folder / "a.jsonl").write_text(json.dumps(item))
    return read_tickets(folder / "a.jsonl")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_files_of_a_mail_are_kept_with_the_type_of_their_bytes(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        mail(
            ("mug.png", "image/png", PNG),
            ("bill.pdf", "application/octet-stream", PDF),
            ("note.txt", "text/plain", "Grüße".encode()),
        ),
    )
    (ticket,) = found.tickets
    kept = [(one.name, one.media_type, one.data) for one in ticket.attachments]
    assert kept[:2] == [("mug.png", "image/png", PNG), ("bill.pdf", "application/pdf", PDF)]
    assert kept[2][:2] == ("note.txt", "text/plain")
    assert found.problems == ()
    assert ticket.messages[0].startswith("It arrived broken.")


def test_a_picture_between_the_words_is_one_too(tmp_path: Path) -> None:
    message = EmailMessage()
    message["From"] = FROM
    message.set_content("see below")
    message.add_alternative('<p>see <img src="cid:1@x"></p>', subtype="html")
    html = message.get_body(("html",))
    assert html is not None
    html.add_related(PNG, "image", "png", cid="<1@x>")
    (ticket,) = read(tmp_path, message).tickets
    assert [(one.name, one.media_type) for one in ticket.attachments] == [("attachment-1.png", "image/png")]
    assert ticket.messages == ("see below\n",)


def test_files_of_a_whole_thread_are_kept_once_each(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        mail(("a.png", "image/png", PNG)),
        mail(
            ("a again.png", "image/png", PNG),
            ("b.jpg", "image/jpeg", JPEG),
            message_id="<2@x>",
            answers="<1@example.com>",
        ),
    )
    (ticket,) = found.tickets
    assert [one.name for one in ticket.attachments] == ["a.png", "b.jpg"]


@pytest.mark.parametrize(
    "name, data",
    [
        ("run.exe", b"MZ\x90\x00\x03"),
        ("page.html", b"<html><script>alert(1)</script>"),
        ("drawing.svg", b'<?xml version="1.0"?><svg onload="x()"/>'),
        ("picture.png", b"\x89PNX not a picture \xff"),
        ("script.txt", b"#!/bin/sh\nrm -rf /\n"),
        ("archive.zip", b"PK\x03\x04\x00\xff"),
        ("empty.txt", b""),
    ],
)
def test_what_is_not_kept_is_listed_with_its_row(tmp_path: Path, name: str, data: bytes) -> None:
    found = read(tmp_path, mail((name, "application/octet-stream", data), ("mug.png", "image/png", PNG)))
    (ticket,) = found.tickets
    assert [one.name for one in ticket.attachments] == ["mug.png"]
    (problem,) = found.problems
    assert (problem.row, problem.kept) == (1, True)
    assert name in problem.message
    assert "left out" in problem.message


def test_a_name_that_belies_the_bytes_gets_the_right_ending(tmp_path: Path) -> None:
    found = read(tmp_path, mail(("invoice.pdf", "application/pdf", PNG)))
    assert [(one.name, one.media_type) for one in found.tickets[0].attachments] == [("invoice.pdf.png", "image/png")]
    assert "kept as 'invoice.pdf.png'" in found.problems[0].message


@pytest.mark.parametrize(
    "sent_as, name",
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\Users\\ada\\mug.png", "mug.png"),
        ("/tmp/x.png", "x.png"),
        ("a\r\nb\x00.png", "a b.png"),
        ("mug\u202egnp.exe", "muggnp.exe.png"),
        ('a<b>:"|?*.png', "a_b______.png"),
        ("...", "attachment-1.png"),
        ("", "attachment-1.png"),
        (".png", "png.png"),
        ("x" * 300 + ".png", "x" * (MAX_NAME_CHARS - 4) + ".png"),
        ("照片.png", "照片.png"),
    ],
)
def test_hostile_names_are_cleaned(sent_as: str, name: str) -> None:
    ((one,), _) = checked([(sent_as, PNG)])
    assert one.name == name


@settings(deadline=None)
@given(sent_as=st.text(max_size=200), data=st.sampled_from([PNG, JPEG, PDF, b"words"]))
def test_no_name_leads_anywhere(sent_as: str, data: bytes) -> None:
    ((one,), _) = checked([(sent_as, data)])
    assert Path(one.name).name == one.name
    assert one.name.strip(". ")
    assert one.name.isprintable()
    assert len(one.name) <= MAX_NAME_CHARS
    assert not set(one.name) & set('/\\<>:"|?*\u202e')


def test_limits_of_a_file_and_of_a_ticket() -> None:
    kept, notes = checked([("large.txt", b"x" * (MAX_BYTES + 1)), ("small.txt", b"y")])
    assert [one.name for one in kept] == ["small.txt"]
    assert f"at most {MAX_BYTES:,}" in notes[0]
    kept, notes = checked([(f"{n}.txt", b"%d" % n) for n in range(MAX_KEPT + 3)])
    assert (len(kept), len(notes)) == (MAX_KEPT, 3)
    kept, notes = checked([(f"{n}.txt", b"%d" % n * (MAX_BYTES - 1)) for n in range(4)])
    assert sum(len(one.data) for one in kept) <= MAX_TICKET_BYTES
    assert (len(kept), len(notes)) == (2, 2)


def test_bytes_in_json_are_base64(tmp_path: Path) -> None:
    found = from_json(
        tmp_path,
        [
            {"name": "mug.png", "data": encoded(PNG)},
            {"name": "b.jpg", "data": "data:image/jpeg;base64," + encoded(JPEG)},
            {"data": encoded(PDF)},
        ],
    )
    (ticket,) = found.tickets
    assert [(one.name, one.data) for one in ticket.attachments] == [
        ("mug.png", PNG),
        ("b.jpg", JPEG),
        ("attachment-3.pdf", PDF),
    ]


@pytest.mark.parametrize("place", ["path", "file", "url", "content_url"])
def test_a_place_is_never_looked_at(tmp_path: Path, place: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("very secret")
    found = from_json(tmp_path, [{"name": "mug.txt", place: str(secret)}, {"name": "b.png", "data": encoded(PNG)}])
    (ticket,) = found.tickets
    assert [one.name for one in ticket.attachments] == ["b.png"]
    (problem,) = found.problems
    assert (problem.row, problem.kept, f"({place})" in problem.message) == (1, True, True)


@pytest.mark.parametrize("attachments", ["mug.png", [7], [None], [{"data": 7}], [{"data": "no base64!"}], {"a": 1}])
def test_attachments_of_another_shape_are_listed_and_the_row_is_taken(tmp_path: Path, attachments: Any) -> None:
    found = from_json(tmp_path, attachments)
    assert [(len(one.attachments), one.id) for one in found.tickets] == [(0, "A")]
    assert [(one.row, one.kept) for one in found.problems] == [(1, True)]


def test_a_large_one_in_json_is_not_even_decoded(tmp_path: Path) -> None:
    found = from_json(tmp_path, [{"name": "a.txt", "data": "A" * (MAX_BYTES * 4 // 3 + 100)}])
    assert found.tickets[0].attachments == ()
    assert "larger than" in found.problems[0].message


def test_they_are_part_of_what_makes_a_ticket_without_id_the_same(tmp_path: Path) -> None:
    rows = [
        {"email": "a@b.example", "text": "x", "attachments": [{"data": encoded(data)}]} for data in (PNG, JPEG, PNG)
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found = read_tickets(tmp_path / "a.json")
    assert len({one.id for one in found.tickets}) == len(found.tickets) == 2
    assert "same ticket as row 1" in next(one.message for one in found.problems if one.row == 3)


def test_the_desk_gets_their_bytes(tmp_path: Path) -> None:
    (ticket,) = read(tmp_path, mail(("mug.png", "image/png", PNG))).tickets
    database = Database(f"sqlite:///{tmp_path / 'app.db'}")
    database.upgrade()
    try:
        desk = EmbeddedHelpdesk(database, "acme", SystemClock())
        assert desk.open(ticket)
        standing = asyncio.run(desk.get(ticket.id))
        (attachment,) = standing.messages[0].attachments
        assert (attachment.name, attachment.media_type, attachment.size) == ("mug.png", "image/png", len(PNG))
        assert asyncio.run(desk.attachment(ticket.id, attachment.id)) == PNG
    finally:
        database.close()
