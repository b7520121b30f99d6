# SPDX-License-Identifier: MIT
"""Copies of a guest's large files on the node's own disk, named by their sha256 and checked before each use.

A guest reads its image while it measures: over a network's file system the network is in the measurement,
and every run brings the same 500 MB again. The first run on a node copies, the next ones read the copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scxval.errors import HarnessError
from scxval.files import sha256
from scxval.vm.launch import Guest

CACHE = "SCXVAL_NODE_CACHE"
_BLOCK = 1 << 20
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that this node's jobs keep copies in; None: the files are used where they are."""
    given = environment.get(CACHE)
    return Path(given).absolute() if given else None


def local_guest(guest: Guest, cache: Path | None) -> Guest:
    """The same guest from this node's copies; unchanged without a cache. Raises HarnessError, OSError."""
    if cache is None:
        return guest
    return replace(
        guest,
        kernel=local_copy(guest.kernel, cache),
        initramfs=local_copy(guest.initramfs, cache),
        image=local_copy(guest.image, cache),
        state=local_copy(guest.state, cache) if guest.state else None,
    )


def local_copy(file: Path, cache: Path) -> Path:
    """A copy of a file below `cache`, with every byte read and checked.

    The source is read once while it stays the same (size, times, inode); a copy that is not what its name
    says is made again. Raises HarnessError for a cache that others can write to.
    """
    _private(cache)
    note = cache / f"{_identity(file)}.source"
    digest = _noted(note)
    copy = cache / digest
    if digest and copy.is_file():
        if sha256(copy) == digest:
            return copy
        print(f"node cache: {copy} is not what its name says: copied again", flush=True)
    return _bring(file, note)


def _noted(note: Path) -> str:
    """The digest that a note names; "" without one."""
    try:
        found = _DIGEST.fullmatch(note.read_bytes())
    except OSError:
        return ""
    return found[0].decode() if found else ""


def _bring(file: Path, note: Path) -> Path:
    """Copy a file into the cache; whole or not at all, whoever else does the same."""
    cache, before = note.parent, _identity(file)
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix=".coming-", dir=cache) as work:
        coming = Path(work) / "file"
        with file.open("rb") as source, coming.open("wb") as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
        if _identity(file) != before:
            raise HarnessError(f"{file} changed while it was copied to {cache}: run it again")
        coming.chmod(0o444)
        copy = cache / digest.hexdigest()
        coming.replace(copy)
        written = Path(work) / "note"
        written.write_text(copy.name, encoding="ascii")
        written.replace(note)
    return copy


def _identity(file: Path) -> str:
    """Of a file as it is now. Its ctime, which no user can set, moves with every change of its content."""
    real = file.resolve()
    found = real.stat()
    facts = (real, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    return hashlib.sha256("\0".join(map(str, facts)).encode()).hexdigest()[:32]


def _private(cache: Path) -> None:
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = cache.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise HarnessError(
            f"{CACHE}={cache}: others can write to it: give each user a folder of mode 0700"
        )
