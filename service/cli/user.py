"""Who uses the command line."""

from __future__ import annotations

import getpass


def user() -> str:
    """The user's name; ``cli`` where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run as users without a name
        return "cli"
