# SPDX-License-Identifier: MIT
"""Schedulers broken on purpose: copies of a built tree scheduler with a few bytes of it changed."""

from __future__ import annotations

import struct
from pathlib import Path

EM_BPF = 247
# BPF_LDX | BPF_MEM | BPF_DW (Linux uapi/linux/bpf.h): r6 = *(u64 *)(r1 + offset)
LOAD_R6_FROM_R1 = (0x79, 0x16)


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o755)
    return path


def refused_by_verifier(scheduler: Path, program: str, target: Path) -> Path:
    """A copy whose BPF program begins by reading 800 bytes behind its context."""
    data = bytearray(scheduler.read_bytes())
    offset = section(data, bpf_object(data), program)
    struct.pack_into("<BBhi", data, offset, *LOAD_R6_FROM_R1, 800, 0)
    return save(target, bytes(data))


def without_library(scheduler: Path, target: Path) -> Path:
    """A copy that is linked to a library that nobody has."""
    data = scheduler.read_bytes()
    assert data.count(b"libelf.so.1\0") == 1
    return save(target, data.replace(b"libelf.so.1\0", b"libelg.so.1\0"))


def bpf_object(data: bytes | bytearray) -> int:
    """Where the skeleton's BPF object begins: an ELF file inside of the program."""
    at = data.find(b"\x7fELF\x02\x01\x01", 1)
    while struct.unpack_from("<H", data, at + 18)[0] != EM_BPF:
        at = data.index(b"\x7fELF\x02\x01\x01", at + 1)
    return at


def section(data: bytes | bytearray, base: int, name: str) -> int:
    """Offset of a section's contents in the ELF file that begins at `base`."""
    (table,) = struct.unpack_from("<Q", data, base + 0x28)
    count, names = struct.unpack_from("<HH", data, base + 0x3C)
    heads = [struct.unpack_from("<IIQQQ", data, base + table + 64 * n) for n in range(count)]
    strings = base + heads[names][4]
    for head in heads:
        begin = strings + head[0]
        if data[begin : data.index(b"\0", begin)].decode() == name:
            return base + int(head[4])
    raise ValueError(f"no section {name}")
