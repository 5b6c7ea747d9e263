"""Evidence: immutable blobs named by their sha256 (screenshots, API replies, states before and after)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from agents.canonical import canonical_json, sha256_hex
from agents.errors import EvidenceMissing


class Evidence(BaseModel):
    """A reference to one blob; the blob itself stays in the store."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    media_type: str
    """For example ``image/png`` or ``application/json``."""
    label: str
    """What it shows, in a few words: ``before``, ``order 10482 after the refund``."""


class EvidenceStore(Protocol):
    """Keeps blobs; what is stored once is never changed."""

    def put(self, data: bytes, *, media_type: str, label: str) -> Evidence:
        """Store ``data`` and return its reference; the same bytes stored twice are one blob."""
        ...

    def get(self, sha256: str) -> bytes:
        """The blob, checked against its name.

        Raises:
            EvidenceMissing: nothing is stored under that name, or it was altered.
        """
        ...


def put_json(store: EvidenceStore, value: object, *, label: str) -> Evidence:
    """Store ``value`` as canonical JSON."""
    return store.put(canonical_json(value), media_type="application/json", label=label)


class MemoryEvidenceStore:
    """Evidence for as long as the process lives."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, data: bytes, *, media_type: str, label: str) -> Evidence:
        """Store ``data`` and return its reference."""
        name = sha256_hex(data)
        self._blobs[name] = data
        return Evidence(sha256=name, media_type=media_type, label=label)

    def get(self, sha256: str) -> bytes:
        """The blob under that name, or `EvidenceMissing`."""
        try:
            return self._blobs[sha256]
        except KeyError:
            raise EvidenceMissing(sha256, "nothing is stored under this name") from None


class FileEvidenceStore:
    """Evidence as files ``ROOT/ab/abcdef…``; a file appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes, *, media_type: str, label: str) -> Evidence:
        """Store ``data`` durably and return its reference."""
        name = sha256_hex(data)
        target = self._path(name)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        return Evidence(sha256=name, media_type=media_type, label=label)

    def get(self, sha256: str) -> bytes:
        """The blob under that name; `EvidenceMissing` if it is absent or was altered."""
        try:
            data = self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise EvidenceMissing(sha256, "nothing is stored under this name") from None
        if sha256_hex(data) != sha256:
            raise EvidenceMissing(sha256, "the stored bytes were altered")
        return data

    def _path(self, name: str) -> Path:
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise EvidenceMissing(name, "not a sha256")
        return self._root / name[:2] / name
