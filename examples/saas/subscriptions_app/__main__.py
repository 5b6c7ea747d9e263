"""Run Lanling's subscriptions: `python -m subscriptions_app --database FILE`, in examples/saas.

Prints one JSON line, {"url": "http://127.0.0.1:PORT"}, when it listens; everything else goes to stderr.
Exit status 2: a wrong argument or a missing credential.
"""

import argparse
import json
import os
import socket
import sys
import threading
from contextlib import suppress
from datetime import date
from pathlib import Path

import uvicorn
from subscriptions_app.api import Credentials, MissingCredential
from subscriptions_app.pages import create_app
from subscriptions_app.seed import seed
from subscriptions_app.store import Store


class Server(uvicorn.Server):
    """A uvicorn server that says where it listens, as one JSON line on stdout."""

    url = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(json.dumps({"url": self.url}) + "\n")
            sys.stdout.flush()

    def stop_on_stdin_eof(self) -> None:
        """Stop when whoever started this process is gone. Reads the descriptor: no lock to hold at exit."""
        while os.read(0, 4096):
            pass
        self.should_exit = True


def main() -> int:
    """Run until told to stop. Returns the exit status: 0, or 2 for a missing credential."""
    parser = argparse.ArgumentParser(prog="subscriptions_app", description="Lanling's subscriptions.")
    add = parser.add_argument
    add("--database", type=Path, required=True, metavar="FILE", help="SQLite file; made if missing")
    add("--port", type=int, default=0, help="port on 127.0.0.1; 0 (the default) takes a free one")
    add("--today", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the day it is, for tests")
    add("--exit-on-stdin-eof", action="store_true", help="stop when standard input ends")
    arguments = parser.parse_args()
    try:
        credentials = Credentials.from_environment(os.environ)
    except MissingCredential as error:
        sys.stderr.write(f"subscriptions_app: {error}\n")
        return 2

    store = Store(arguments.database, today=arguments.today)
    seed(store)
    listener = socket.create_server(("127.0.0.1", arguments.port))
    config = uvicorn.Config(
        create_app(store, credentials), log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = Server(config)
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if arguments.exit_on_stdin_eof:
        threading.Thread(target=server.stop_on_stdin_eof, daemon=True).start()
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
