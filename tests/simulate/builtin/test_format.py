# SPDX-License-Identifier: MIT
"""The texts of bpf_printk and scx_bpf_error against Python's own % formatting."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KINDS = {"d": 4, "i": 4, "u": 4, "x": 4, "X": 4}
LONG = {f"{size}{kind}": 8 for size in ("l", "ll") for kind in KINDS}

conversion = st.tuples(
    st.lists(st.sampled_from("-+ 0"), max_size=3, unique=True).map("".join),
    st.sampled_from(["", "1", "3", "17", "30"]),
    st.sampled_from([*KINDS, *LONG, "s", "c"]),
    st.integers(0, 2**64 - 1),
    st.text("abcdefXYZ 0123", max_size=12),
)
plain = st.text("abc %09.\n\t", max_size=6).map(lambda text: text.replace("%", "%%"))


@pytest.fixture(scope="module")
def sim(checked):
    return checked()


def formatted(sim, text, args=(), room=400):
    out = sim.ffi.new("char[]", b"?" * (room + 1))
    values = sim.ffi.new("uint64_t[]", list(args) or [0])
    length = sim.lib.sim_format(out, room, text.encode("latin-1"), values, len(args))
    if length < 0:
        return length
    assert out[length] == b"\0"
    assert out[room] == b"?"
    return sim.ffi.buffer(out, length)[:].decode()


def by_python(flags, width, kind, value, text):
    letter = kind[-1]
    if letter == "s":
        return f"%{flags}{width}s" % text
    if letter == "c":
        return f"%{flags}{width}c" % text[0]
    if {**KINDS, **LONG}[kind] == 4:
        value &= 0xFFFFFFFF
    if letter in "di":
        bits = 32 if kind in KINDS else 64
        value -= (value >> bits - 1) << bits
    else:
        # C gives unsigned numbers no sign, whatever the flags.
        flags = flags.replace("+", "").replace(" ", "")
    return f"%{flags}{width}{'d' if letter in 'diu' else letter}" % value


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(plain, conversion), max_size=4), plain)
def test_as_python(sim, parts, tail):
    text, expected, args, kept = "", "", [], []
    for before, (flags, width, kind, value, string) in parts:
        string = string or "q"
        kept.append(sim.ffi.new("char[]", string.encode()))
        text += f"{before}%{flags}{width}{kind}"
        expected += before.replace("%%", "%") + by_python(flags, width, kind, value, string)
        if kind == "s":
            args.append(int(sim.ffi.cast("uintptr_t", kept[-1])))
        else:
            args.append(ord(string[0]) if kind == "c" else value)
    assert formatted(sim, text + tail, args) == expected + tail.replace("%%", "%")


@pytest.mark.parametrize(
    "text",
    ["%", "%z", "%l", "%lld%d", "%.3d", "%#x", "%hd", "%f", "%ls", "%*d", "%ps", "%pI4", "\x80"],
)
def test_what_the_kernel_refuses(sim, text):
    assert formatted(sim, text, [1]) == -errno.EINVAL


def test_pointers_have_no_number(sim):
    """It would differ from one run to the next."""
    assert formatted(sim, "%p|%px|%20p", [1, 2, 3]) == (
        "(____ptrval____)|(____ptrval____)|    (____ptrval____)"
    )
    assert formatted(sim, "%s", [0]) == "(null)"


@pytest.mark.parametrize("room", [1, 2, 5])
def test_a_long_text_is_cut(sim, room):
    assert formatted(sim, "abcdefgh%d", [12345], room) == "abcdefgh"[: room - 1]


def test_texts_reach_log_and_reason(checked):
    sim = checked()
    values = sim.ffi.new("uint64_t[2]", [7, 2**64 - 3])
    assert sim.lib.sim_printk(b"cpu %u is %lld\n", values, 2) > 0
    assert sim.lib.sim_printk(b"no %f", values, 2) == -errno.EINVAL
    assert sim.log().count("\n") == 1
    assert "cpu 7 is -3" in sim.log()
    fmt = sim.ffi.new("char[]", b"scx_x.bpf.c:12: lost %d")
    sim.lib.scx_bpf_error_bstr(fmt, sim.ffi.cast("unsigned long long *", values), 8)
    assert "scx_x.bpf.c:12: lost 7" in sim.text()
