"""django-helpdesk as tests use it: a process of its own, and what customers and staff do in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from service.helpdesks.django_helpdesk import DjangoHelpdesk
from tests.fakes.faulty_proxy import FaultyProxy
from tests.helpdesks.scenarios import ANN

PROJECT = Path(__file__).with_name("django_project.py")
_mails = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: int
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoDesk:
    """A running django-helpdesk."""

    url: str
    folder: Path
    agent: User
    staff: User
    queue: int
    people: int

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """One request to its API by a member of staff."""
        headers = {"Authorization": f"Token {self.staff.token}"}
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=60, trust_env=False) as client:
            answer = await client.request(method, path, **arguments)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def open(self, text: str, *, subject: str, email: str = ANN, file: bytes = b"") -> str:
        """A ticket through the API."""
        data = {"queue": self.queue, "title": subject, "description": text, "submitter_email": email, "priority": 3}
        files = {"attachment": ("mug.png", file, "image/png")} if file else None
        return str((await self.call("POST", "/api/tickets/", data=data, files=files))["id"])

    async def mail(self, text: str, *, subject: str, email: str = ANN, **headers: str) -> None:
        """A customer's mail, taken in by the helpdesk's own intake."""
        message = EmailMessage(policy=policy.SMTP.clone(cte_type="8bit"))
        message["From"], message["To"], message["Subject"] = f"Ann <{email}>", "help@acme.example", subject
        message["Message-ID"] = f"<{next(_mails)}.{id(self)}@example.com>"
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        (self.folder / "inbox" / f"{next(_mails)}.eml").write_bytes(message.as_bytes())
        await self.call("POST", "/intake")

    async def merge(self, ticket_id: str, *, into: str) -> None:
        """Staff merge a ticket in the web pages."""
        place = f"/tickets/merge?tickets={ticket_id}&tickets={into}"
        async with httpx2.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as client:
            await client.get("/admin/login/")
            form = {"username": "maria", "password": "maria", "csrfmiddlewaretoken": client.cookies["csrftoken"]}
            assert (await client.post("/admin/login/", data=form)).is_redirect
            page = await client.get(place)
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
            assert token is not None
            form = {"chosen_ticket": into, "csrfmiddlewaretoken": token.group(1)}
            form |= dict.fromkeys(re.findall(r'type="radio"[^>]*name="(\w+)"', page.text), into)
            assert (await client.post(place, data=form)).is_redirect

    def sent_to(self, email: str) -> list[str]:
        """The text of every mail that went out to an address."""
        mails = []
        for file in sorted((self.folder / "sent").iterdir()):
            for part in re.split(r"(?m)^-{79}\n", file.read_text(encoding="utf-8")):
                mail = message_from_string(part, policy=policy.default)
                body = mail.get_body(("plain",)) if isinstance(mail, EmailMessage) else None
                if email in str(mail["To"]) and body is not None:
                    mails.append(f"{mail['Subject']}\n{body.get_content()}")
        return mails


@contextmanager
def running_django_desk(folder: Path) -> Iterator[DjangoDesk]:
    """Set one up in ``folder``, serve it, and stop it."""
    process = subprocess.Popen(
        [sys.executable, "-P", PROJECT, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        agent, staff = User(**ready.pop("agent")), User(**ready.pop("staff"))
        yield DjangoDesk(folder=folder, agent=agent, staff=staff, **ready)
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoStage:
    """`tests.helpdesks.scenarios.Stage` on a django-helpdesk."""

    desk: DjangoDesk
    helpdesk: DjangoHelpdesk
    proxy: FaultyProxy

    async def opens(self, text: str, *, subject: str = "Broken mug", file: bytes = b"") -> str:
        return await self.desk.open(text, subject=subject, file=file)

    async def asks(self, ticket_id: str, text: str) -> None:
        await self.desk.mail(text, subject=f"Re: [support-{ticket_id}] Broken mug")

    async def answers(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        await self.desk.call("POST", "/api/followups/", json={"ticket": ticket_id, "comment": text, "public": public})

    async def merges(self, ticket_id: str, *, into: str) -> None:
        await self.desk.merge(ticket_id, into=into)

    async def shown(self, ticket_id: str) -> list[str]:
        return [mail for mail in self.desk.sent_to(ANN) if f"[support-{ticket_id}]" in mail.partition("\n")[0]]


@asynccontextmanager
async def django_stage(desk: DjangoDesk, **settings: Any) -> AsyncIterator[DjangoStage]:
    """A connector to the desk, with a proxy between them."""
    async with FaultyProxy(desk.url) as proxy:
        connector = DjangoHelpdesk(
            tenant="acme", url=proxy.url, token=desk.agent.token, agent_user=desk.agent.id, pause=0.01, **settings
        )
        yield DjangoStage(desk=desk, helpdesk=connector, proxy=proxy)
