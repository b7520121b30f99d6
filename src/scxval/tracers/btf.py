# SPDX-License-Identifier: MIT
"""Function names from a kernel's own type information (BTF, the layout of /sys/kernel/btf/vmlinux).

A tracer picks its probes by these names, so that the choice follows the guest's kernel and not its
version number. Format: Documentation/bpf/btf.rst and include/uapi/linux/btf.h of the kernel.
"""

from __future__ import annotations

import argparse
import struct
import sys
from functools import partial
from pathlib import Path

from scxval.errors import ScxvalError, answer

MAGIC = 0xEB9F
ELF = b"\x7fELF"
KIND_FUNC = 12
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


def function_names(blob: bytes) -> frozenset[str]:
    """Names of all FUNC types in a raw BTF blob.

    Raises ScxvalError when the blob is not BTF, is cut off, or holds a type of a kind unknown here.
    """
    order = _byte_order(blob)
    header_bytes, type_at, type_bytes, text_at, text_bytes = struct.unpack_from(
        f"{order}IIIII", blob, 4
    )
    first = header_bytes + type_at
    last = first + type_bytes
    text = blob[header_bytes + text_at : header_bytes + text_at + text_bytes]
    if last > len(blob) or len(text) != text_bytes:
        raise ScxvalError(f"BTF is cut off: {len(blob)} bytes; copy /sys/kernel/btf/vmlinux again")
    try:
        return frozenset(
            text[at : text.index(b"\0", at)].decode("ascii")
            for at in _function_name_offsets(blob, order, first, last)
        )
    except ValueError as error:
        raise ScxvalError(f"BTF names a function outside its string section: {error}") from error


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


def _function_name_offsets(blob: bytes, order: str, first: int, last: int) -> list[int]:
    head = struct.Struct(f"{order}II")
    offsets = []
    at = first
    while at + TYPE_BYTES <= last:
        name, info = head.unpack_from(blob, at)
        kind = info >> 24 & 0x1F
        if kind == KIND_FUNC:
            offsets.append(name)
        if kind in FIXED_BYTES:
            at += TYPE_BYTES + FIXED_BYTES[kind]
        elif kind in ENTRY_BYTES:
            at += TYPE_BYTES + ENTRY_BYTES[kind] * (info & 0xFFFF)
        else:
            raise ScxvalError(f"BTF type kind {kind} at byte {at} is unknown: this kernel is newer")
    if at != last:
        raise ScxvalError(f"BTF type section ends inside a type, at byte {last}")
    return offsets


def read_function_names(path: Path) -> frozenset[str]:
    """`function_names` of a file, raw or a vmlinux with a .BTF section; the ScxvalError names the file."""
    try:
        data = path.read_bytes()
        return function_names(section_of(data, b".BTF") if data.startswith(ELF) else data)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except ScxvalError as error:
        raise ScxvalError(f"{path}: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Write the sorted function names of a BTF file, one a line; 0, or 2 for a bad file."""
    parser = argparse.ArgumentParser(prog="python -m scxval.tracers.btf", description=__doc__)
    parser.add_argument(
        "blob", type=Path, help="vmlinux, or raw BTF such as /sys/kernel/btf/vmlinux"
    )
    parser.add_argument("--output", type=Path, required=True, help="text file to write")
    args = parser.parse_args(argv)
    return answer("scxval btf", partial(_write_names, args.blob, args.output))


def _write_names(blob: Path, output: Path) -> None:
    names = read_function_names(blob)
    output.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
