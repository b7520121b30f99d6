# SPDX-License-Identifier: MIT
"""BTF function names: a blob built by hand, every cut of it, and this host's own kernel."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.tracers.btf import function_names, main

HOST_BTF = Path("/sys/kernel/btf/vmlinux")
STRINGS = b"\0int\0pick_task_scx\0arg\0yield_task_scx\0color\0red\0"


def name_at(name: bytes) -> int:
    return STRINGS.index(b"\0" + name + b"\0") + 1


def blob(order: str = "<", kinds_after: bytes = b"") -> bytes:
    """INT, FUNC_PROTO with one argument, two FUNCs, an ENUM with one value, then `kinds_after`."""

    def entry(name: bytes, kind: int, vlen: int, third: int, *words: int) -> bytes:
        offset = name_at(name) if name else 0
        return struct.pack(f"{order}{3 + len(words)}I", offset, kind << 24 | vlen, third, *words)

    types = b"".join(
        [
            entry(b"int", 1, 0, 4, 32),
            entry(b"", 13, 1, 1, name_at(b"arg"), 1),
            entry(b"pick_task_scx", 12, 0, 2),
            entry(b"color", 6, 1, 4, name_at(b"red"), 7),
            entry(b"yield_task_scx", 12, 1, 2),
            kinds_after,
        ]
    )
    header = struct.pack(
        f"{order}HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(STRINGS)
    )
    return header + types + STRINGS


@pytest.mark.parametrize("order", ["<", ">"])
def test_names_of_a_small_blob(order):
    assert function_names(blob(order)) == {"pick_task_scx", "yield_task_scx"}


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(blob()) - 1))
def test_any_cut_is_refused(size):
    with pytest.raises(ScxvalError):
        function_names(blob()[:size])


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data):
    if data[:2] not in (b"\x9f\xeb", b"\xeb\x9f"):
        with pytest.raises(ScxvalError, match="not BTF"):
            function_names(data)


def test_unknown_kind_is_refused():
    with pytest.raises(ScxvalError, match=r"kind 30 .* newer"):
        function_names(blob(kinds_after=struct.pack("<3I", 0, 30 << 24, 0)))


@pytest.mark.skipif(not HOST_BTF.exists(), reason="this kernel has no BTF")
def test_host_kernel_quickly():
    data = HOST_BTF.read_bytes()
    start = time.perf_counter()
    names = function_names(data)
    assert time.perf_counter() - start < 5
    assert {"schedule", "try_to_wake_up"} <= names
    assert len(names) > 10_000


def test_command_line(tmp_path, capsys):
    source = tmp_path / "vmlinux"
    source.write_bytes(blob())
    output = tmp_path / "names.txt"
    assert main([str(source), "--output", str(output)]) == 0
    assert output.read_text() == "pick_task_scx\nyield_task_scx\n"
    source.write_bytes(b"ELF")
    assert main([str(source), "--output", str(output)]) == 2
    assert str(source) in capsys.readouterr().err
