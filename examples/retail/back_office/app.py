"""The pages staff use: log in, find an order, refund it, cancel it, change its address."""

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from api import Api, Tokens
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from store import STATUSES, BackOfficeError, Order, Store, amount_minor, amount_text

HERE = Path(__file__).parent
COOKIE, LOGIN_COOKIE = "acme_session", "acme_login"
SESSION_SECONDS = 8 * 3600
MOST_SESSIONS = 1000
REFUND_REASONS = {
    "damaged": "Item arrived damaged",
    "wrong_item": "Wrong item sent",
    "not_received": "Item not received",
    "returned": "Item returned",
    "goodwill": "Goodwill",
}
CANCEL_REASONS = {
    "customer_request": "Customer asked for it",
    "out_of_stock": "Out of stock",
    "payment_failed": "Payment failed",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class MissingCredential(Exception):
    """An environment variable that must hold a credential is missing or empty; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What staff and programs prove themselves with."""

    user: str
    password: str = field(repr=False)
    tokens: Tokens = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Credentials":
        """Raises MissingCredential."""

        def value(name: str) -> str:
            if not environment.get("BACK_OFFICE_" + name):
                raise MissingCredential(f"set the environment variable BACK_OFFICE_{name}")
            return environment["BACK_OFFICE_" + name]

        return cls(
            user=value("USER"),
            password=value("PASSWORD"),
            tokens=Tokens(write=value("WRITE_TOKEN"), read=value("READ_TOKEN"), audit=value("AUDIT_TOKEN")),
        )

    def match(self, user: str, password: str) -> bool:
        """Whether both are right; takes equally long for any wrong ones."""
        right_user = hmac.compare_digest(user.encode(), self.user.encode())
        right_password = hmac.compare_digest(password.encode(), self.password.encode())
        return right_user and right_password


@dataclass(slots=True, kw_only=True)
class Session:
    """One staff member logged in with one browser."""

    user: str
    csrf: str
    expires: float
    """On the monotonic clock, seconds."""
    flash: str = ""
    """Shown once, on the next page."""


class Sessions:
    """Who is logged in. Kept in memory: a restart logs everybody out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[str, Session] = {}

    def open(self, user: str) -> str:
        """A new session's id. Forgets expired sessions, and the oldest ones when there are too many."""
        now = time.monotonic()
        with self._lock:
            alive = [(key, one) for key, one in self._by_id.items() if one.expires > now]
            self._by_id = dict(alive[-MOST_SESSIONS + 1 :])
            session_id, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
            self._by_id[session_id] = Session(user=user, csrf=csrf, expires=now + SESSION_SECONDS)
        return session_id

    def find(self, request: Request) -> Session | None:
        """The session of the request's cookie, if it is still valid."""
        with self._lock:
            session = self._by_id.get(request.cookies.get(COOKIE, ""))
        return session if session and session.expires > time.monotonic() else None

    def close(self, request: Request) -> None:
        """Forget the session of the request's cookie."""
        with self._lock:
            self._by_id.pop(request.cookies.get(COOKIE, ""), None)


class Pages:
    """The endpoints of the pages. Without a session a GET leads to /login and a POST is 401."""

    def __init__(self, store: Store, credentials: Credentials) -> None:
        self._store, self._credentials, self._sessions = store, credentials, Sessions()
        self._templates = Jinja2Templates(directory=HERE / "templates")
        self._templates.env.filters["money"] = amount_text
        self._templates.env.filters["moment"] = _moment

    def routes(self) -> list[Route]:
        """All pages and the targets of their forms."""
        return [
            Route("/", self.home, methods=["GET"]),
            Route("/login", self.login, methods=["GET"]),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
            Route("/orders", self.orders, methods=["GET"]),
            Route("/orders/{id}", self.order, methods=["GET"]),
            Route("/orders/{id}/{action:str}", self.change, methods=["POST"]),
        ]

    def home(self, request: Request) -> Response:
        """Lead to the order table."""
        return RedirectResponse("/orders", 303)

    def login(self, request: Request) -> Response:
        """Show the login form."""
        return self._login_form(request, _local(request.query_params.get("next", "")))

    async def log_in(self, request: Request) -> Response:
        """Take the login form: 303 to where one came from, 401 wrong credentials, 403 wrong CSRF token."""
        form = await _form(request)
        target = _local(form.get("next", ""))
        if not _equal(form.get("csrf", ""), request.cookies.get(LOGIN_COOKIE, "")):
            return self._login_form(request, target, 403, "That form was too old. Please log in again.")
        if not self._credentials.match(form.get("user", ""), form.get("password", "")):
            return self._login_form(request, target, 401, "User name or password is wrong.")
        answer = RedirectResponse(target, 303)
        answer.set_cookie(COOKIE, self._sessions.open(self._credentials.user), httponly=True, samesite="lax")
        answer.delete_cookie(LOGIN_COOKIE)
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        session = self._session(request)
        _check_csrf(session, await _form(request))
        self._sessions.close(request)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    def orders(self, request: Request) -> Response:
        """Show the order table: ?q=, ?status=, ?page=."""
        session = self._sessions.find(request)
        if session is None:
            return _to_login(request)
        text, status = request.query_params.get("q", "")[:200], request.query_params.get("status", "")
        page = self._store.search(text, status, _number(request.query_params.get("page", "1")))
        context = {"page": page, "text": text, "status": status, "statuses": STATUSES}
        return self._page(request, "orders.html", session, context)

    def order(self, request: Request) -> Response:
        """Show one order."""
        session = self._sessions.find(request)
        if session is None:
            return _to_login(request)
        return self._order_page(request, session, self._store.order(request.path_params["id"]))

    async def change(self, request: Request) -> Response:
        """A form of the order page: refund, cancel or address. An error shows the page again, input kept."""
        session = self._session(request)
        form, order_id = await _form(request), request.path_params["id"]
        _check_csrf(session, form)
        try:
            session.flash = await run_in_threadpool(
                self._apply, request.path_params["action"], order_id, form, session.user
            )
        except BackOfficeError as error:
            order = await run_in_threadpool(self._store.order, order_id)
            return self._order_page(request, session, order, error, form)
        return RedirectResponse(f"/orders/{order_id}", 303)

    def _apply(self, action: str, order_id: str, form: Mapping[str, str], user: str) -> str:
        """Do what the form says, and say what was done. Raises BackOfficeError, HTTPException 404."""
        reason, reference = form.get("reason", ""), form.get("reference", "")
        if action == "refund":
            minor = amount_minor(form.get("amount", ""))
            refund = partial(self._store.refund, order_id, amount_minor=minor, actor=user)
            order = refund(reason=reason, reference=reference)
            what = f"Refund of {amount_text(minor)} {order.currency} recorded"
            return f"{what}, reference {order.refund_reference}"
        if action == "cancel":
            order = self._store.cancel(order_id, reason=reason, reference=reference)
            return f"Order {order.id} cancelled, reference {order.cancel_reference}"
        if action == "address":
            order = self._store.change_address(order_id, address=form.get("address", ""), reference=reference)
            return f"Shipping address changed, reference {order.address_reference}"
        raise HTTPException(404, "There is no such page.")

    def error(self, request: Request, error: Exception) -> Response:
        """Any error as a page (or JSON under /api/), with its status code."""
        code, message, headers = 500, "Something went wrong on our side. Nothing was recorded.", None
        if isinstance(error, HTTPException):
            code, message, headers = error.status_code, error.detail, error.headers
            if code == 404 and message == "Not Found":
                message = "There is no such page."
        elif isinstance(error, BackOfficeError):
            code, message = error.status_code, str(error)
        if request.url.path.startswith("/api/"):
            return JSONResponse({"detail": message}, code, headers)
        context = {"code": code, "message": message}
        return self._page(request, "error.html", self._sessions.find(request), context, code)

    def _session(self, request: Request) -> Session:
        session = self._sessions.find(request)
        if session is None:
            raise HTTPException(401, "You are not logged in. Nothing was recorded.")
        return session

    def _login_form(self, request: Request, target: str, code: int = 200, error: str = "") -> Response:
        csrf = secrets.token_urlsafe(32)
        context = {"next": target, "error": error, "login_csrf": csrf}
        answer = self._page(request, "login.html", None, context, code)
        answer.set_cookie(LOGIN_COOKIE, csrf, httponly=True, samesite="lax")
        return answer

    def _order_page(
        self,
        request: Request,
        session: Session,
        order: Order,
        error: BackOfficeError | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Response:
        context = {
            "order": order,
            "error": str(error or ""),
            "form": form or {},
            "action": request.path_params.get("action", ""),
            "refund_reasons": REFUND_REASONS,
            "cancel_reasons": CANCEL_REASONS,
        }
        return self._page(request, "order.html", session, context, error.status_code if error else 200)

    def _page(
        self, request: Request, name: str, session: Session | None, context: dict[str, Any], code: int = 200
    ) -> Response:
        context = {**context, "session": session, "flash": ""}
        if session is not None and session.flash:
            context["flash"], session.flash = session.flash, ""
        return self._templates.TemplateResponse(request, name, context, code, HEADERS)


def create_app(store: Store, credentials: Credentials) -> Starlette:
    """The whole application: pages, API, static files, /healthz."""
    pages = Pages(store, credentials)
    routes = [
        Route("/healthz", _health, methods=["GET"]),
        Mount("/api/v1", routes=Api(store, credentials.tokens).routes()),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        *pages.routes(),
    ]
    handlers = {HTTPException: pages.error, BackOfficeError: pages.error, Exception: pages.error}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _form(request: Request) -> dict[str, str]:
    """The posted texts; files are ignored."""
    async with request.form(max_fields=20, max_files=0) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _equal(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def _check_csrf(session: Session, form: Mapping[str, str]) -> None:
    if not _equal(form.get("csrf", ""), session.csrf):
        raise HTTPException(403, "The form was not sent from this page. Nothing was recorded.")


def _to_login(request: Request) -> Response:
    target = request.url.path + ("?" + request.url.query if request.url.query else "")
    return RedirectResponse(str(URL("/login").include_query_params(next=target)), 303)


def _local(target: str) -> str:
    """A path of this application, whatever was asked for."""
    return target if target.startswith("/orders") and "\\" not in target else "/orders"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def _moment(iso: str | None) -> str:
    """An ISO time as "2026-01-31 14:05" (UTC); "" stays ""."""
    return (iso or "")[:16].replace("T", " ")
