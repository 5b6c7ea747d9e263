"""django-helpdesk as a process of its own: ``python django_project.py FOLDER`` sets it up and serves it.

It prints one line of JSON with its URL and the tokens of its users, and stops when its standard input ends.
``POST /intake`` runs its own command ``get_email`` over the mailbox folder.
"""

import json
import sys
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

FOLDER = Path(sys.argv[1])
HOST = "127.0.0.1"

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=[HOST],
    ROOT_URLCONF="__main__",
    USE_TZ=True,
    TIME_ZONE="UTC",
    SITE_ID=1,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / "helpdesk.db",
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.sites",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "django.contrib.humanize",
        "rest_framework",
        "rest_framework.authtoken",
        "helpdesk",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework.authentication.TokenAuthentication",
            "rest_framework.authentication.SessionAuthentication",
        ]
    },
    LOGIN_URL="/admin/login/",
    STATIC_URL="/static/",
    MEDIA_URL="/media/",
    MEDIA_ROOT=FOLDER / "media",
    EMAIL_BACKEND="django.core.mail.backends.filebased.EmailBackend",
    EMAIL_FILE_PATH=FOLDER / "sent",
    HELPDESK_TEAMS_MODE_ENABLED=False,
    HELPDESK_PRIVATE_FOLLOWUP_MEANS_NO_EMAILS=True,
    HELPDESK_GET_NEW_TICKET_WEBHOOK_URLS=lambda: _doorbells(),
    HELPDESK_GET_FOLLOWUP_WEBHOOK_URLS=lambda: _doorbells(),
    LOGGING={"version": 1, "disable_existing_loggers": True, "handlers": {}, "root": {"handlers": []}},
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from django.views.static import serve  # noqa: E402
from helpdesk.models import Queue  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402


def _doorbells() -> list[str]:
    """Where webhooks go: the lines of a file that tests write."""
    file = FOLDER / "webhooks"
    return file.read_text().split() if file.exists() else []


def intake(request: HttpRequest) -> HttpResponse:
    """What cron does every few minutes."""
    Queue.objects.update(email_box_last_check=None)
    call_command("get_email", quiet=True)
    return HttpResponse()


urlpatterns = [
    path("intake", csrf_exempt(intake)),
    path("admin/", admin.site.urls),
    path("media/<path:path>", serve, {"document_root": FOLDER / "media"}),
    path("", include("helpdesk.urls")),
]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def _user(name: str, email: str) -> dict[str, Any]:
    user = User.objects.create_superuser(name, email, name)
    return {"id": user.pk, "token": Token.objects.create(user=user).key}


def main() -> None:
    """Set everything up, and serve."""
    for name in ("inbox", "media", "sent"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)
    agent, staff = _user("settle", "settle@acme.example"), _user("maria", "maria@acme.example")
    mailbox = {"email_box_type": "local", "email_box_local_dir": str(FOLDER / "inbox"), "email_box_interval": 0}
    support = Queue.objects.create(
        title="Support",
        slug="support",
        email_address="help@acme.example",
        allow_email_submission=True,
        allow_public_submission=True,
        **mailbox,
    )
    people = Queue.objects.create(title="People", slug="people")
    server = make_server(HOST, 0, get_wsgi_application(), server_class=_Server, handler_class=_Quiet)
    url = f"http://{HOST}:{server.server_port}"
    ready = {"url": url, "agent": agent, "staff": staff, "queue": support.pk, "people": people.pk}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
