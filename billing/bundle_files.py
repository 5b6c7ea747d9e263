"""Reading a bundle that may be hostile, a folder or a zip file: nothing unpacked, no link followed."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from billing.bundle import MANIFEST

MAX_FILES = 100_000
MAX_FILE = 64 * 1024 * 1024
"""Bytes of one file."""
MAX_TOTAL = 1024 * 1024 * 1024
"""Bytes of all files."""


class BundleUnreadable(Exception):
    """The bundle, or one file of it, cannot be read; the message says what and why, for people."""


class BundleFiles:
    """The files of a bundle by name (``invoice.json``, ``evidence/<sha256>``)."""

    def __init__(self, sizes: dict[str, int], problems: list[str], opener: Callable[[str], IO[bytes]]) -> None:
        self._sizes = sizes
        self._open = opener
        self.problems = tuple(problems)
        """What is in the bundle and must not be: links, odd names, special files."""
        if len(sizes) > MAX_FILES:
            raise BundleUnreadable(f"{len(sizes)} files; at most {MAX_FILES} are read")
        if sum(sizes.values()) > MAX_TOTAL:
            raise BundleUnreadable(f"{sum(sizes.values())} bytes; at most {MAX_TOTAL} are read")

    @property
    def names(self) -> tuple[str, ...]:
        """Every regular file's name, sorted."""
        return tuple(sorted(self._sizes))

    def read(self, name: str) -> bytes:
        """The file's bytes; `BundleUnreadable` if it is missing, too large, or cannot be read."""
        if name not in self._sizes:
            raise BundleUnreadable(f"{name} is missing")
        try:
            with self._open(name) as file:
                data = file.read(MAX_FILE + 1)
        except Exception as error:  # whatever a hostile archive makes the unpacking raise
            raise BundleUnreadable(f"{name} cannot be read: {error or type(error).__name__}") from None
        if len(data) > MAX_FILE:
            raise BundleUnreadable(f"{name} has more than {MAX_FILE} bytes")
        return data


@contextmanager
def open_bundle(path: Path) -> Iterator[BundleFiles]:
    """The files of the bundle at ``path``, a folder or a zip file; `BundleUnreadable` if it is neither."""
    if path.is_dir():
        yield _folder(path)
    elif path.is_file():
        try:
            archive = zipfile.ZipFile(path)
        except Exception as error:  # whatever a hostile archive makes the reading of its directory raise
            raise BundleUnreadable(f"{path} is neither a folder nor a zip file: {error}") from None
        with archive:
            yield _zip(archive)
    else:
        raise BundleUnreadable(f"there is no bundle at {path}")


def _folder(root: Path) -> BundleFiles:
    sizes: dict[str, int] = {}
    problems: list[str] = []
    pending = [root]
    while pending:
        try:
            found = sorted(pending.pop().iterdir())
        except OSError as error:
            raise BundleUnreadable(f"the folder cannot be listed: {error.strerror}") from None
        for each in found:
            name = each.relative_to(root).as_posix()
            mode = each.lstat()
            if stat.S_ISREG(mode.st_mode):
                sizes[name] = mode.st_size
            elif stat.S_ISDIR(mode.st_mode) and len(each.relative_to(root).parts) < 8:
                pending.append(each)
            else:
                problems.append(f"{_shown(name)} is a link or no regular file")
        if len(sizes) > MAX_FILES:
            break
    return BundleFiles(sizes, problems, lambda name: _open_regular(root / name))


def _open_regular(path: Path) -> IO[bytes]:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    return os.fdopen(handle, "rb")


def _zip(archive: zipfile.ZipFile) -> BundleFiles:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    manifests = [entry.filename for entry in entries if entry.filename.count("/") <= 1]
    prefix = next((name.removesuffix(MANIFEST) for name in manifests if name.endswith(f"/{MANIFEST}")), "")
    if any(entry.filename == MANIFEST for entry in entries):
        prefix = ""
    sizes: dict[str, int] = {}
    problems: list[str] = []
    by_name: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename
        odd = "\\" in name or name.startswith("/") or {"..", ".", ""} & set(name.split("/"))
        if odd or stat.S_ISLNK(entry.external_attr >> 16):
            problems.append(f"{_shown(name)} is a link, or a name that leads out of the bundle")
        elif not name.startswith(prefix):
            problems.append(f"{_shown(name)} lies outside the bundle's folder {prefix}")
        elif name.removeprefix(prefix) in by_name:
            problems.append(f"{_shown(name)} is in the zip file twice")
        else:
            sizes[name.removeprefix(prefix)] = entry.file_size
            by_name[name.removeprefix(prefix)] = entry

    def opened(name: str) -> IO[bytes]:
        return archive.open(by_name[name])

    return BundleFiles(sizes, problems, opened)


def _shown(name: str) -> str:
    return name if name.isprintable() and len(name) <= 120 else ascii(name)[:120]
