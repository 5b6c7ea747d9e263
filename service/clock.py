"""A clock that can be moved ahead, for demos: the machine's time plus an offset kept in the state folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path


class OffsetClock:
    """The machine's time, moved ahead by what stands in a file (seconds); by nothing if there is no file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = timedelta(seconds=int(file.read_text())) if file.exists() else timedelta()

    def now(self) -> datetime:
        """The current moment, aware and in UTC."""
        return datetime.now(UTC) + self._offset

    def move_to(self, moment: datetime) -> None:
        """Stand at ``moment`` or later from now on, also after a restart; a clock never goes back."""
        ahead = moment - self.now()
        if ahead > timedelta():
            self._offset += timedelta(seconds=int(ahead.total_seconds()) + 1)
            temporary = self._file.with_suffix(".new")
            temporary.write_text(str(int(self._offset.total_seconds())))
            temporary.replace(self._file)
