# SPDX-License-Identifier: MIT
"""Enumerators from BTF: small blobs with every form, and the guest's kernel against its source."""

from __future__ import annotations

import struct

import cffi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.formats.btf import Btf, Enumeration, read_btf
from scxval.provision.enums import enums_header, enums_of
from tests.conftest import KERNEL, RESOURCES

# Linux 7.2: kernel/sched/ext/internal.h, include/linux/sched/ext.h, include/uapi/linux/bpf.h.
KNOWN = {
    "SCX_SLICE_DFL": 20 * 1000 * 1000,
    "SCX_SLICE_INF": 2**64 - 1,
    "SCX_DSQ_FLAG_BUILTIN": 1 << 63,
    "SCX_DSQ_FLAG_LOCAL_ON": 1 << 62,
    "SCX_DSQ_GLOBAL": 1 << 63 | 1,
    "SCX_DSQ_LOCAL": 1 << 63 | 2,
    "SCX_DSQ_LOCAL_ON": 1 << 63 | 1 << 62,
    "SCX_ENQ_PREEMPT": 1 << 32,
    "SCX_ENQ_LAST": 1 << 41,
    "SCX_OPS_ENQ_LAST": 1 << 1,
    "SCX_OPS_NAME_LEN": 128,
    "SCX_KICK_PREEMPT": 1 << 1,
    "SCX_DSP_DFL_MAX_BATCH": 32,
    "SCX_CPUPERF_ONE": 1024,
    "BPF_MAP_TYPE_QUEUE": 22,
    "BPF_MAP_TYPE_STACK": 23,
    "BPF_F_TIMER_CPU_PIN": 2,
    "BPF_MAX_LOOPS": 8 * 1024 * 1024,
    "__PAGE_SIZE": 4096,
}

values = st.one_of(
    st.tuples(st.just(4), st.just(False), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(4), st.just(True), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(8), st.just(False), st.integers(0, 2**64 - 1)),
    st.tuples(st.just(8), st.just(True), st.integers(-(2**63), 2**63 - 1)),
)


def blob(size, signed, value):
    """A BTF blob with one enum `scx_public_consts` of one enumerator `SCX_ONE`."""
    text = b"\0scx_public_consts\0SCX_ONE\0"
    kind = 19 if size == 8 else 6
    entry = struct.pack("<I", text.index(b"SCX_ONE"))
    raw = value & ((1 << 8 * size) - 1)
    entry += (
        struct.pack("<II", raw & 0xFFFFFFFF, raw >> 32) if size == 8 else struct.pack("<I", raw)
    )
    types = struct.pack("<III", 1, int(signed) << 31 | kind << 24 | 1, size) + entry
    head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(text))
    return head + types + text


def by_cffi(header):
    ffi = cffi.FFI()
    ffi.cdef(header)
    return ffi.dlopen(None)


@given(values)
def test_every_value_reaches_the_header(form):
    size, signed, value = form
    enums = enums_of(Btf(blob(size, signed, value)))
    assert enums == [Enumeration("scx_public_consts", size, signed, (("SCX_ONE", value),))]
    if value != -(2**63):  # cffi's parser knows no such constant expression
        assert value == by_cffi(enums_header(enums)).SCX_ONE
    else:
        assert "(-9223372036854775807LL - 1)" in enums_header(enums)


def test_the_kernel_s_values():
    btf = read_btf(RESOURCES / "kernel" / KERNEL / "vmlinux")
    found = by_cffi(enums_header(enums_of(btf)))
    assert {name: getattr(found, name) for name in KNOWN} == KNOWN


def test_a_kernel_without_sched_ext_is_refused():
    plain = blob(4, False, 1).replace(b"scx_public_consts", b"xyz_public_consts")
    with pytest.raises(ScxvalError, match="without sched_ext"):
        enums_of(Btf(plain))
