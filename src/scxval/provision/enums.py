# SPDX-License-Identifier: MIT
"""The kernel's enumerators as a C header, from its own type information: values are never written down.

The simulation's vmlinux.h includes it. Kept are the enums that sched_ext schedulers name: those of
sched_ext itself, and of BPF's maps, timers and storage.
"""

from __future__ import annotations

from scxval.errors import ScxvalError
from scxval.formats.btf import Btf, Enumeration

# An enum is taken whole when one of its enumerators starts with one of these.
PREFIXES = (
    "SCX_",
    "__SCX_",
    "BPF_MAP_TYPE_",
    "BPF_ANY",
    "BPF_F_NO_PREALLOC",
    "BPF_F_TIMER_ABS",
    "BPF_LOCAL_STORAGE_GET_F_CREATE",
    "BPF_MAX_LOOPS",
    "__PAGE_SIZE",
)


def enums_of(btf: Btf) -> list[Enumeration]:
    """The enums that a scheduler may name, in the kernel's order.

    Raises ScxvalError for a kernel without sched_ext.
    """
    chosen = [
        enum
        for enum in btf.enumerations()
        if any(name.startswith(PREFIXES) for name, _ in enum.values)
    ]
    if not any(enum.name == "scx_public_consts" for enum in chosen):
        raise ScxvalError("no enum scx_public_consts: this kernel was built without sched_ext")
    return chosen


def enums_header(enums: list[Enumeration]) -> str:
    """The C text, as `bpftool btf dump format c` has it."""
    lines = ["/* Generated from a kernel's type information by scxval.provision.enums. */"]
    for enum in enums:
        suffix = "LL" if enum.size_bytes == 8 else ""
        unsigned = "" if enum.signed else "U"
        lines.append(f"enum {enum.name} {{" if enum.name else "enum {")
        for name, value in enum.values:
            sign = "" if not suffix and 0 <= value < 1 << 31 else unsigned
            lines.append(f"\t{name} = {_literal(value, sign + suffix)},")
        lines.append("};")
    return "\n".join(lines) + "\n"


def _literal(value: int, suffix: str) -> str:
    # C has no negative literals: -9223372036854775808 is one too many before its sign is applied.
    if value == -(1 << 63):
        return f"(-{(1 << 63) - 1}{suffix} - 1)"
    return f"{value}{suffix}"
