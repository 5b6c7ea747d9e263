"""The pages staff look at: all subscriptions, and one with its offer, plan change and history. They only read."""

import base64
import binascii
from decimal import Decimal
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from subscriptions_app.api import Api, Credentials, same
from subscriptions_app.plans import PLANS
from subscriptions_app.store import NotFound, Store

HERE = Path(__file__).parent
USER = "staff"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def create_app(store: Store, credentials: Credentials) -> Starlette:
    """The application: the API under /api/v1, pages for everybody with the staff's password."""
    templates = Jinja2Templates(directory=HERE / "templates")
    templates.env.filters["money"] = lambda minor: f"{Decimal(minor).scaleb(-2):,.2f}"

    def allowed(request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and user == USER and same(password, credentials.password)

    def page(request: Request, name: str, **context: object) -> Response:
        if not allowed(request):
            headers = {**HEADERS, "WWW-Authenticate": 'Basic realm="Lanling subscriptions"'}
            return Response("Log in as staff.", 401, headers, "text/plain")
        return templates.TemplateResponse(request, name, {"plans": PLANS, **context}, headers=HEADERS)

    def home(request: Request) -> Response:
        return RedirectResponse("/subscriptions", 303)

    def subscriptions(request: Request) -> Response:
        return page(request, "subscriptions.html", found=store.all())

    def subscription(request: Request) -> Response:
        try:
            one = store.subscription(request.path_params["id"])
        except NotFound as error:
            raise HTTPException(404, str(error)) from None
        return page(request, "subscription.html", one=one, history=store.history(one["id"]))

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"detail": error.detail}, error.status_code, HEADERS)

    return Starlette(
        routes=[
            Route("/", home),
            Route("/subscriptions", subscriptions),
            Route("/subscriptions/{id}", subscription),
            Mount("/api/v1", routes=Api(store, credentials).routes()),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={HTTPException: problem},
    )
