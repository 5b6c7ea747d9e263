"""The kill switch: a file in the state folder. While it is there no effect, no reply and no change goes out.

It is looked at before every job, every effect, every reply and every change in the helpdesk, so it takes effect at
once, in whatever process works on the state. What is under way inside a tool at that moment comes to its end.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


class Halted(Exception):
    """Control flow: nothing may go out now; the job ends here, and is taken up again when that is over."""


class Stopped(BaseModel):
    """Who stopped the desk, when, and why."""

    model_config = ConfigDict(frozen=True)

    by: str
    why: str
    at: AwareDatetime

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"stopped by {self.by} at {self.at:%Y-%m-%d %H:%M:%S} UTC{why}"


class Switch:
    """The kill switch of one state."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is the state's."""
        self._file = folder / "stopped.json"

    def stopped(self) -> bool:
        """True while nothing may go out; also if nobody can tell."""
        try:
            self._file.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def standing(self) -> Stopped | None:
        """Who stopped it and why; None if nobody did."""
        if not self.stopped():
            return None
        try:
            return Stopped.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            return Stopped(by="somebody", why=f"{self._file} cannot be read ({type(error).__name__})", at=_UNKNOWN)

    def stop(self, *, by: str, why: str, at: datetime) -> Stopped:
        """Stop; if it is stopped already, that stands. Returns what stands."""
        standing = self.standing()
        if standing is not None:
            return standing
        made = Stopped(by=by, why=why, at=at)
        temporary = self._file.with_suffix(".new")
        temporary.write_text(made.model_dump_json() + "\n", encoding="utf-8")
        temporary.replace(self._file)
        return made

    def resume(self) -> bool:
        """Go on; False if it was not stopped."""
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True
