# SPDX-License-Identifier: MIT
"""Archives: plain files in a tar.xz, the first of which is the SHA256SUMS of all others.

An archive comes from elsewhere and is not trusted: nothing of it is used before every member was checked, and
a member is written only below a new folder, which takes its name when all of them were good.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scxval.errors import ScxvalError
from scxval.files import whole
from scxval.published.sums import NAME, checked_name, parse, render, without_folders

# Ten times what a study of 30 MB in git unpacks to; small enough for the memory of any machine here, because
# tarfile reads a header of any length at once.
MOST_BYTES = 1 << 28
MOST_MEMBER_BYTES = 1 << 26
MOST_MEMBERS = 50_000
# What is packed here needs 9 MiB to unpack; an archive that asks for gigabytes is an attack.
MOST_MEMORY_BYTES = 1 << 27
_PRESET = 6
_BLOCK = 1 << 16
# What tarfile and lzma raise for bytes that somebody chose: chains of headers end in the last.
_BROKEN = (tarfile.TarError, lzma.LZMAError, EOFError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: bytes once unpacked, bytes of one member, members."""

    total_bytes: int = MOST_BYTES
    member_bytes: int = MOST_MEMBER_BYTES
    members: int = MOST_MEMBERS


DEFAULT = Limits()


def pack(contents: Mapping[str, bytes], archive: Path) -> None:
    """Write an archive whole or not at all; the same contents give the same bytes with one liblzma.

    Raises ScxvalError for a name that `unpack` would refuse.
    """
    names = [checked_name(name, str(archive)) for name in sorted(contents)]
    without_folders([NAME, *names], str(archive))
    sums = {name: hashlib.sha256(contents[name]).hexdigest() for name in names}
    with (
        whole(archive) as (part,),
        lzma.open(part, "wb", preset=_PRESET, check=lzma.CHECK_CRC64) as file,
        # Names beyond 100 bytes need a header of their own; GNU's has no time or owner in it.
        tarfile.open(fileobj=file, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, data in [(NAME, render(sums).encode()), *((n, contents[n]) for n in names)]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def verify(archive: Path, limits: Limits = DEFAULT) -> dict[str, int]:
    """Bytes of every member by its name, all of them checked.

    Raises ScxvalError, with what is wrong, for an archive that must not be used.
    """
    return {name: len(data) for name, data in members(archive, limits)}


def unpack(archive: Path, folder: Path, limits: Limits = DEFAULT) -> list[str]:
    """Write the members below `folder`, which takes the place of what stood there, all of them or none.

    Nothing of the archive but names and contents is used: no owners, modes or times. Returns the names.
    Raises ScxvalError for an archive that must not be used.
    """
    part = folder.with_name(f"{folder.name}.part")
    _remove(part)
    try:
        part.mkdir(parents=True)
        names = []
        for name, data in members(archive, limits):
            file = part / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            names.append(name)
        _remove(folder)
        part.replace(folder)
    finally:
        _remove(part)
    return names


def _remove(folder: Path) -> None:
    """Remove a folder, or a link to one and not what it leads to."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def members(archive: Path, limits: Limits = DEFAULT) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member but SHA256SUMS, checked one by one, in the archive's order.

    Only when the last was taken without an error are all of them there. Raises ScxvalError.
    """
    where = str(archive)
    try:
        with archive.open("rb") as file:
            reader = _Unpacked(file, where, limits)
            with tarfile.open(fileobj=reader, mode="r|") as tar:  # type: ignore[call-overload]
                yield from _checked(tar, where, limits)
            reader.drain()
    except _BROKEN as error:
        raise ScxvalError(f"{where}: refused: not a whole tar.xz: {error}") from error
    except OSError as error:
        raise ScxvalError(f"cannot read {where}: {error.strerror}") from error


def _checked(tar: tarfile.TarFile, where: str, limits: Limits) -> Iterator[tuple[str, bytes]]:
    first = tar.next()
    if first is None or first.name != NAME:
        raise ScxvalError(f"{where}: refused: its first member is not {NAME}")
    missing = parse(_content(tar, first, where, limits).decode(), where)
    if NAME in missing:
        raise ScxvalError(f"{where}: refused: {NAME} lists itself")
    if len(missing) > limits.members:
        raise ScxvalError(f"{where}: refused: more than {limits.members} members")
    for member in iter(tar.next, None):
        name = checked_name(member.name, where)
        digest = missing.pop(name, None)
        if digest is None:
            raise ScxvalError(f"{where}: refused: {name} is there twice, or not listed in {NAME}")
        data = _content(tar, member, where, limits)
        if hashlib.sha256(data).hexdigest() != digest:
            raise ScxvalError(f"{where}: refused: {name} is not what {NAME} has the digest of")
        yield name, data
    if missing:
        raise ScxvalError(f"{where}: refused: {min(missing)} of {NAME} is missing")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, where: str, limits: Limits) -> bytes:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise ScxvalError(f"{where}: refused: {member.name!r} is a link, a device or a folder")
    if not 0 <= member.size <= limits.member_bytes:
        raise ScxvalError(
            f"{where}: refused: {member.name!r} has {member.size} bytes, more than {limits.member_bytes}"
        )
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise EOFError(f"{member.name!r} is cut off")
    return data


class _Unpacked:
    """The bytes of one xz stream, no more of them and of memory than allowed, and nothing after it."""

    def __init__(self, file: BinaryIO, where: str, limits: Limits) -> None:
        self._file, self._where = file, where
        self._left = self._most = limits.total_bytes
        self._xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY_BYTES)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end of a whole stream."""
        data = b""
        while not data and not self._xz.eof:
            fed = self._file.read(_BLOCK) if self._xz.needs_input else b""
            if self._xz.needs_input and not fed:
                raise EOFError("it is cut off")
            data = self._xz.decompress(fed, max_length=min(size, _BLOCK))
        self._left -= len(data)
        if self._left < 0:
            raise ScxvalError(f"{self._where}: refused: more than {self._most} bytes once unpacked")
        return data

    def drain(self) -> None:
        """Read to the end, where the stream's own checksum is. Raises EOFError for more than padding."""
        while data := self.read(_BLOCK):
            if data.strip(b"\0"):
                raise EOFError("there is more after its end")
        if self._xz.unused_data or os.fstat(self._file.fileno()).st_size != self._file.tell():
            raise EOFError("there is more after its end")
