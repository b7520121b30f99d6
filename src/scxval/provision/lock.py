# SPDX-License-Identifier: MIT
"""Locks: `name version sha256` lines of everything that went into an artefact.

resources/<artefact>/lock.txt is what was used; envs/<artefact>.lock, in git, is what was meant. A
moving mirror makes them differ: `lock: drift` says how and goes on, `lock: exact` refuses.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from scxval.errors import ScxvalError

SHOWN = 8


def parse_lock(text: str) -> dict[str, tuple[str, str]]:
    """name -> (version, sha256); lines that start with # are comments."""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: (version, digest) for name, version, digest in rows}


def format_lock(entries: Iterable[tuple[str, str, str]], about: str) -> str:
    """A lock file's text, sorted by name."""
    lines = "".join(f"{name} {version} {digest}\n" for name, version, digest in sorted(entries))
    return f"# {about}: name version sha256\n{lines}"


def drift(meant: dict[str, tuple[str, str]], used: dict[str, tuple[str, str]]) -> list[str]:
    """How what was used differs from what was meant, one line a name."""
    lines = []
    for name in sorted(meant.keys() | used.keys()):
        if name not in used:
            lines.append(f"{name} {meant[name][0]} is missing")
        elif name not in meant:
            lines.append(f"{name} {used[name][0]} is new")
        elif meant[name] != used[name]:
            same = meant[name][0] == used[name][0]
            lines.append(f"{name} {meant[name][0]} -> {used[name][0]}{' (other bytes)' * same}")
    return lines


def check_lock(used: str, committed: Path, mode: str) -> None:
    """Compare a lock's text with the committed one: say the drift, or raise ScxvalError (exact)."""
    if not committed.exists():
        lines = [f"there is no {committed}"]
    else:
        lines = drift(parse_lock(committed.read_text(encoding="utf-8")), parse_lock(used))
    if not lines:
        return
    shown = "; ".join(lines[:SHOWN]) + (f"; and {len(lines) - SHOWN} more" * (len(lines) > SHOWN))
    message = f"{len(lines)} differences from {committed}: {shown}"
    if mode == "exact":
        raise ScxvalError(
            f"{message}. Set provision.mirror to an archive of the lock's day, set provision.lock to "
            "drift, or accept what the mirror has with `make relock`."
        )
    print(f"lock drift: {message}", file=sys.stderr)


def installed_packages(status: str, lists: Iterable[Path]) -> list[tuple[str, str, str]]:
    """(name, version, sha256) of every installed package.

    `status` is the root's dpkg status; `lists` are its apt Packages files, which have the digests.
    A package whose version no list has gets the digest "-".
    """
    wanted = {
        (stanza["Package"], stanza["Version"])
        for stanza in _stanzas(status)
        if stanza.get("Status", "").endswith(" installed")
    }
    digests: dict[tuple[str, str], str] = {}
    for path in lists:
        for stanza in _stanzas(_read(path)):
            key = (stanza.get("Package", ""), stanza.get("Version", ""))
            if key in wanted:
                digests[key] = stanza["SHA256"]
    return [(name, version, digests.get((name, version), "-")) for name, version in sorted(wanted)]


def _read(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


_FIELD = re.compile(r"^(Package|Version|Status|SHA256): (.*)$", re.MULTILINE)


def _stanzas(text: str) -> Iterable[dict[str, str]]:
    for block in text.split("\n\n"):
        fields = {match[1]: match[2] for match in _FIELD.finditer(block)}
        if "Package" in fields:
            yield fields
