# SPDX-License-Identifier: MIT
"""A kernel's own type information (BTF, the layout of /sys/kernel/btf/vmlinux): its types in order.

Format: Documentation/bpf/btf.rst and include/uapi/linux/btf.h of the kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scxval.errors import ScxvalError

MAGIC = 0xEB9F
ELF = b"\x7fELF"
KIND_PTR = 2
KIND_STRUCT = 4
KIND_ENUM = 6
KIND_FUNC = 12
KIND_FUNC_PROTO = 13
KIND_ENUM64 = 19
# struct btf_type is three words; what follows it has a fixed size, or one entry for each of `vlen`.
TYPE_BYTES = 12
FIXED_BYTES = {
    1: 4,  # INT
    2: 0,  # PTR
    3: 12,  # ARRAY
    7: 0,  # FWD
    8: 0,  # TYPEDEF
    9: 0,  # VOLATILE
    10: 0,  # CONST
    11: 0,  # RESTRICT
    12: 0,  # FUNC
    14: 4,  # VAR
    16: 0,  # FLOAT
    17: 4,  # DECL_TAG
    18: 0,  # TYPE_TAG
}
ENTRY_BYTES = {
    4: 12,  # STRUCT
    5: 12,  # UNION
    6: 8,  # ENUM
    13: 8,  # FUNC_PROTO
    15: 12,  # DATASEC
    19: 12,  # ENUM64
}


@dataclass(frozen=True)
class Enumeration:
    """One enum: its name ("" for none), size, sign, and its enumerators with their values."""

    name: str
    size_bytes: int
    signed: bool
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Type:
    name_at: int
    kind: int
    entries: int
    flag: bool
    # The size in bytes, or the number of another type (a pointer's target).
    size: int
    rest_at: int


class Btf:
    """A BTF blob. Raises ScxvalError when it is not BTF, is cut off, or has a kind unknown here."""

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._order = _byte_order(blob)
        header_bytes, type_at, type_bytes, text_at, text_bytes = struct.unpack_from(
            f"{self._order}IIIII", blob, 4
        )
        self._first = header_bytes + type_at
        self._last = self._first + type_bytes
        self._text = blob[header_bytes + text_at : header_bytes + text_at + text_bytes]
        if self._last > len(blob) or len(self._text) != text_bytes:
            raise ScxvalError(
                f"BTF is cut off: {len(blob)} bytes; copy /sys/kernel/btf/vmlinux again"
            )

    def functions(self) -> frozenset[str]:
        """Names of all FUNC types."""
        return frozenset(
            self._name(kind.name_at, "function") for kind in self._types() if kind.kind == KIND_FUNC
        )

    def enumerations(self) -> list[Enumeration]:
        """All enums, in the blob's order."""
        return [self._enumeration(t) for t in self._types() if t.kind in (KIND_ENUM, KIND_ENUM64)]

    def members(self, name: str) -> dict[str, int | None]:
        """A struct's own members, in its order; for a pointer to a function the number of its parameters.

        {} when there is no such struct.
        """
        types = list(self._types())
        for found in types:
            if found.kind == KIND_STRUCT and self._name(found.name_at, "struct") == name:
                starts = range(found.rest_at, found.rest_at + 12 * found.entries, 12)
                return {
                    self._name(self._word(at), "member"): self._parameters(
                        types, self._word(at + 4)
                    )
                    for at in starts
                }
        return {}

    def _parameters(self, types: list[_Type], number: int) -> int | None:
        """Of a pointer to a function (types are numbered from 1; 0 is void), else None."""
        if not 0 < number <= len(types) or types[number - 1].kind != KIND_PTR:
            return None
        target = types[number - 1].size
        if not 0 < target <= len(types) or types[target - 1].kind != KIND_FUNC_PROTO:
            return None
        return types[target - 1].entries

    def _enumeration(self, found: _Type) -> Enumeration:
        entry = struct.Struct(
            self._order + ("III" if found.kind == KIND_ENUM64 else "I" + "iI"[not found.flag])
        )
        values = []
        for n in range(found.entries):
            name_at, low, *high = entry.unpack_from(self._blob, found.rest_at + n * entry.size)
            value = low | high[0] << 32 if high else low
            if high and found.flag and value >> 63:
                value -= 1 << 64
            values.append((self._name(name_at, "enumerator"), value))
        name = self._name(found.name_at, "enum")
        return Enumeration(name, found.size, found.flag, tuple(values))

    def _types(self) -> Iterator[_Type]:
        head = struct.Struct(f"{self._order}III")
        at = self._first
        while at + TYPE_BYTES <= self._last:
            name_at, info, size = head.unpack_from(self._blob, at)
            kind = info >> 24 & 0x1F
            entries = info & 0xFFFF
            rest_at = at + TYPE_BYTES
            if kind in FIXED_BYTES:
                at = rest_at + FIXED_BYTES[kind]
            elif kind in ENTRY_BYTES:
                at = rest_at + ENTRY_BYTES[kind] * entries
            else:
                raise ScxvalError(
                    f"BTF type kind {kind} at byte {at} is unknown: this kernel is newer"
                )
            if at > self._last:
                break
            yield _Type(name_at, kind, entries, bool(info >> 31), size, rest_at)
        if at != self._last:
            raise ScxvalError(f"BTF type section ends inside a type, at byte {self._last}")

    def _word(self, at: int) -> int:
        (word,) = struct.unpack_from(f"{self._order}I", self._blob, at)
        return int(word)

    def _name(self, at: int, what: str) -> str:
        try:
            return self._text[at : self._text.index(b"\0", at)].decode("ascii")
        except ValueError as error:
            raise ScxvalError(f"BTF names a {what} outside its string section: {error}") from error


def read_btf(path: Path) -> Btf:
    """The BTF of a file, raw or a vmlinux with a .BTF section; the ScxvalError names the file."""
    try:
        data = path.read_bytes()
        return Btf(section_of(data, b".BTF") if data.startswith(ELF) else data)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except ScxvalError as error:
        raise ScxvalError(f"{path}: {error}") from error


def section_of(elf: bytes, name: bytes) -> bytes:
    """One section of a 64-bit little-endian ELF file such as vmlinux. Raises ScxvalError."""
    try:
        (table_at,) = struct.unpack_from("<Q", elf, 0x28)
        entry_bytes, count, names_index = struct.unpack_from("<HHH", elf, 0x3A)
        headers = [
            struct.unpack_from("<IIQQQQ", elf, table_at + n * entry_bytes) for n in range(count)
        ]
        names_at = headers[names_index][4]
        for offset, _, _, _, at, size in headers:
            start = names_at + offset
            if elf[start : elf.index(b"\0", start)] == name:
                return elf[at : at + size]
    except (struct.error, ValueError, IndexError) as error:
        raise ScxvalError(f"not a whole ELF file: {error}") from error
    raise ScxvalError(f"no section {name.decode()}: this kernel was built without it")


def _byte_order(blob: bytes) -> str:
    if len(blob) >= 24:
        for order in "<>":
            if struct.unpack_from(f"{order}H", blob)[0] == MAGIC:
                return order
    raise ScxvalError(
        "not BTF: it does not start with 0xeb9f; expected a vmlinux or a copy of /sys/kernel/btf/vmlinux"
    )
