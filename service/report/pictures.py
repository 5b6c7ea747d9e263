"""Screenshots for the report: each blob is embedded once, at the first place that shows it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from agents.errors import EvidenceMissing
from agents.evidence import Evidence, EvidenceStore
from service.shown import Shown, shown

MAX_PICTURE = 4_000_000
"""Bytes of one picture."""
MAX_PICTURES = 48_000_000
"""Bytes of all pictures of one report."""

_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One screenshot, or a sentence in its place."""

    sha256: str
    label: Shown
    anchor: str
    """The element that holds this picture; of the first place for a picture that is shown again."""
    data: str
    """``data:image/png;base64,...``; empty when there is nothing to show here."""
    instead: str
    """Why there is nothing to show; empty when there is."""


class Pictures:
    """Gives out the pictures of one report."""

    def __init__(self, evidence: EvidenceStore) -> None:
        self._evidence = evidence
        self._anchors: dict[str, str] = {}
        self._left = MAX_PICTURES

    def of(self, evidence: Evidence) -> Picture:
        """The picture behind ``evidence``; never fails."""
        sha256 = evidence.sha256
        anchor = self._anchors.get(sha256, "")
        data, instead = ("", "The same picture stands at another place.") if anchor else self._read(evidence)
        if data:
            anchor = self._anchors[sha256] = f"picture-{len(self._anchors) + 1}"
        return Picture(sha256=sha256, label=shown(evidence.label), anchor=anchor, data=data, instead=instead)

    def _read(self, evidence: Evidence) -> tuple[str, str]:
        try:
            blob = self._evidence.get(evidence.sha256)
        except EvidenceMissing as error:
            return "", f"This screenshot cannot be shown: {error}."
        except OSError as error:
            return "", f"This screenshot cannot be shown: {error.strerror}."
        signature = _SIGNATURES.get(evidence.media_type)
        if signature is None or not blob.startswith(signature):
            return "", f"This screenshot cannot be shown: the blob is not {evidence.media_type} that browsers draw."
        if len(blob) > min(MAX_PICTURE, self._left):
            return "", f"This screenshot is left out: it has {len(blob):,} bytes, and this file is to stay small."
        self._left -= len(blob)
        return f"data:{evidence.media_type};base64,{base64.b64encode(blob).decode()}", ""
