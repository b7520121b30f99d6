# SPDX-License-Identifier: MIT
"""The remaining helpers: loops, locks, timers, reads, and division as BPF has it."""

from __future__ import annotations

import errno
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.provision.simulators import BUILTIN

ARRAY, QUEUE = 2, 22
MAX_LOOPS = 8 * 1024 * 1024


@settings(deadline=None, max_examples=60)
@given(st.integers(-50, 50), st.integers(-50, 50))
def test_bpf_for_counts(checked, start, end):
    sim = checked()
    it = sim.ffi.new("struct bpf_iter_num *")
    answer = sim.lib.bpf_iter_num_new(it, start, end)
    assert answer == (-errno.EINVAL if start > end else 0)
    seen = []
    while (at := sim.lib.bpf_iter_num_next(it)) != sim.ffi.NULL:
        seen.append(at[0])
    assert seen == list(range(start, end))


def test_bpf_for_refuses_what_is_too_long(checked):
    sim = checked()
    it = sim.ffi.new("struct bpf_iter_num *")
    assert sim.lib.bpf_iter_num_new(it, 0, MAX_LOOPS) == 0
    for start, end in ((0, MAX_LOOPS + 1), (-(2**31), 2**31 - 1)):
        assert sim.lib.bpf_iter_num_new(it, start, end) == -errno.E2BIG
        assert sim.lib.bpf_iter_num_next(it) == sim.ffi.NULL


def test_locks(checked):
    sim = checked()
    one, two = sim.ffi.new("struct bpf_spin_lock *"), sim.ffi.new("struct bpf_spin_lock *")
    sim.lib.bpf_spin_lock(one)
    sim.lib.bpf_spin_unlock(one)
    assert sim.text() == ""
    sim.lib.bpf_spin_lock(one)
    sim.lib.bpf_spin_lock(two)
    assert "a lock is held already" in sim.text()
    sim = checked()
    resilient = sim.ffi.new("struct bpf_res_spin_lock *")
    assert sim.lib.bpf_res_spin_lock(resilient) == 0
    assert sim.lib.bpf_res_spin_lock(resilient) == -errno.EDEADLK
    sim.lib.bpf_res_spin_unlock(resilient)
    assert sim.lib.bpf_res_spin_lock(resilient) == 0
    sim.lib.bpf_res_spin_unlock(resilient)
    sim.lib.bpf_res_spin_unlock(resilient)
    assert "not held" in sim.text()


def test_timers(checked):
    sim = checked()
    declared = sim.ffi.new("void *[1]")
    made = sim.lib.sim_map(declared, ARRAY, 4, 40, 3)
    value = sim.lib.sim_map_lookup(made, sim.ffi.new("uint32_t *", 2), 0)
    timer = sim.ffi.cast("struct bpf_timer *", sim.ffi.cast("char *", value) + 8)
    elsewhere = sim.ffi.new("struct bpf_timer *")
    lib, ffi = sim.lib, sim.ffi
    assert lib.bpf_timer_start(timer, 1000, 0) == -errno.EINVAL
    assert lib.bpf_timer_cancel(timer) == -errno.EINVAL
    assert lib.sim_timer_init(timer, made, declared, 12) == -errno.EINVAL
    assert lib.sim_timer_init(elsewhere, made, declared, 1) == -errno.EINVAL
    assert lib.sim_timer_init(timer, made, declared, 1) == 0
    assert lib.sim_timer_init(timer, made, declared, 1) == -errno.EBUSY
    assert lib.bpf_timer_start(timer, 1000, 0) == -errno.EINVAL, "it has no callback yet"
    assert lib.sim_timer_set_callback(timer, ffi.cast("void *", 1)) == 0
    assert lib.bpf_timer_start(timer, 1000, 4) == -errno.EINVAL
    assert lib.bpf_timer_cancel(timer) == 0
    assert lib.bpf_timer_start(timer, 1000, 2) == 0
    assert lib.bpf_timer_cancel(timer) == 1
    key, start = ffi.new("void **"), ffi.new("void **")
    assert lib.sim_map_element(made, timer, key, start)
    assert (ffi.cast("uint32_t *", key[0])[0], start[0]) == (2, value)


@settings(deadline=None, max_examples=60)
@given(st.text("abc", max_size=8), st.integers(0, 10))
def test_strings_are_read_as_the_kernel_does(checked, text, size):
    sim = checked()
    out = sim.ffi.new("char[]", b"?" * 12)
    read = sim.lib.bpf_probe_read_kernel_str(out, size, text.encode())
    if not size:
        assert (read, out[0]) == (0, b"?")
        return
    kept = text[: size - 1].encode()
    assert read == len(kept) + 1
    assert sim.ffi.buffer(out, 12)[:].startswith(kept + b"\0")
    assert sim.lib.bpf_probe_read_kernel_str(out, size, sim.ffi.NULL) == -errno.EFAULT
    assert sim.ffi.buffer(out, size)[:] == bytes(size)


def guarded(text):
    return subprocess.run(
        ["awk", "-f", BUILTIN / "shim/divide.awk"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_divisions_are_guarded():
    code = "  %3 = udiv i64 %1, %2\n  %4 = urem i32 %a, %b\n  %5 = udiv i64 %3, 100\n  ret i64 %5\n"
    assert guarded(code).splitlines() == [
        "  %sim.zero1 = icmp eq i64 %2, 0",
        "  %sim.divisor1 = select i1 %sim.zero1, i64 1, i64 %2",
        "  %sim.result1 = udiv i64 %1, %sim.divisor1",
        "  %3 = select i1 %sim.zero1, i64 0, i64 %sim.result1",
        "  %sim.zero2 = icmp eq i32 %b, 0",
        "  %sim.divisor2 = select i1 %sim.zero2, i32 1, i32 %b",
        "  %sim.result2 = urem i32 %a, %sim.divisor2",
        "  %4 = select i1 %sim.zero2, i32 %a, i32 %sim.result2",
        "  %5 = udiv i64 %3, 100",
        "  ret i64 %5",
    ]


def test_a_division_in_an_unknown_form_stops_the_build():
    with pytest.raises(subprocess.CalledProcessError):
        guarded("  %3 = udiv exact i64 %1, %2\n")
