# SPDX-License-Identifier: MIT
"""CPU masks against Python's sets."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sizes = st.sampled_from([1, 2, 63, 64, 65, 130, 256])
cpus = st.frozensets(st.integers(0, 255), max_size=20)


@pytest.fixture(scope="module")
def machine(checked):
    """Makes a library with so many CPUs, keeping the last one while the number stays."""
    kept = {}

    def make(nr_cpus):
        if nr_cpus not in kept:
            kept.clear()
            kept[nr_cpus] = checked(nr_cpus)
        return kept[nr_cpus]

    return make


def mask_of(sim, members):
    """A mask with the bits of `members`, those beyond the machine's CPUs too."""
    mask = sim.ffi.new("struct bpf_cpumask *")
    for cpu in members:
        mask.cpumask.bits[cpu // 64] |= 1 << cpu % 64
    return mask, sim.ffi.addressof(mask.cpumask)


def members_of(mask):
    return {cpu for cpu in range(256) if mask.cpumask.bits[cpu // 64] >> cpu % 64 & 1}


@settings(deadline=None, max_examples=150)
@given(sizes, cpus, cpus)
def test_two_masks(machine, nr_cpus, one, two):
    sim = machine(nr_cpus)
    lib = sim.lib
    _keep1, first = mask_of(sim, one)
    _keep2, second = mask_of(sim, two)
    one = {cpu for cpu in one if cpu < nr_cpus}
    two = {cpu for cpu in two if cpu < nr_cpus}
    out = sim.ffi.new("struct bpf_cpumask *")
    assert lib.bpf_cpumask_and(out, first, second) == bool(one & two)
    assert members_of(out) == one & two
    lib.bpf_cpumask_or(out, first, second)
    assert members_of(out) == one | two
    lib.bpf_cpumask_xor(out, first, second)
    assert members_of(out) == one ^ two
    lib.bpf_cpumask_copy(out, first)
    assert members_of(out) == one
    assert lib.bpf_cpumask_equal(first, second) == (one == two)
    assert lib.bpf_cpumask_intersects(first, second) == bool(one & two)
    assert lib.bpf_cpumask_subset(first, second) == (one <= two)
    found = lib.bpf_cpumask_any_and_distribute(first, second)
    assert found in (one & two or {nr_cpus})


@settings(deadline=None, max_examples=150)
@given(sizes, cpus, st.integers(0, 300))
def test_one_mask(machine, nr_cpus, members, cpu):
    sim = machine(nr_cpus)
    lib = sim.lib
    mask, plain = mask_of(sim, members)
    inside = {member for member in members if member < nr_cpus}
    assert lib.bpf_cpumask_weight(plain) == len(inside)
    assert lib.bpf_cpumask_empty(plain) == (not inside)
    assert lib.bpf_cpumask_full(plain) == (len(inside) == nr_cpus)
    assert lib.bpf_cpumask_first(plain) == min(inside, default=nr_cpus)
    zeros = set(range(nr_cpus)) - inside
    assert lib.bpf_cpumask_first_zero(plain) == min(zeros, default=nr_cpus)
    was = cpu in inside
    assert lib.bpf_cpumask_test_cpu(cpu, plain) == was
    assert lib.bpf_cpumask_test_and_set_cpu(cpu, mask) == was
    assert lib.bpf_cpumask_test_cpu(cpu, plain) == (cpu < nr_cpus)
    assert lib.bpf_cpumask_test_and_clear_cpu(cpu, mask) == (cpu < nr_cpus)
    assert not lib.bpf_cpumask_test_cpu(cpu, plain)
    lib.bpf_cpumask_setall(mask)
    assert members_of(mask) == set(range(nr_cpus))


def test_any_distribute_goes_round(checked):
    sim = checked(8)
    _keep, mask = mask_of(sim, {1, 4, 6})
    found = [sim.lib.bpf_cpumask_any_distribute(mask) for _ in range(6)]
    assert found == [1, 4, 6, 1, 4, 6]


@settings(deadline=None, max_examples=60)
@given(sizes, cpus)
def test_populate_and_bits(machine, nr_cpus, members):
    sim = machine(nr_cpus)
    source = sim.ffi.new("uint64_t[4]")
    for cpu in members:
        source[cpu // 64] |= 1 << cpu % 64
    mask = sim.ffi.new("struct bpf_cpumask *")
    need = (nr_cpus + 63) // 64 * 8
    assert sim.lib.bpf_cpumask_populate(mask, source, need - 1) == -errno.EACCES
    assert sim.lib.bpf_cpumask_populate(mask, sim.ffi.cast("char *", source) + 1, need) == (
        -errno.EINVAL
    )
    assert sim.lib.bpf_cpumask_populate(mask, source, need) == 0
    assert members_of(mask) == {cpu for cpu in members if cpu < nr_cpus}
    bits = sim.ffi.new("struct bpf_iter_bits *")
    assert sim.lib.bpf_iter_bits_new(bits, source, 4) == 0
    seen = []
    while (at := sim.lib.bpf_iter_bits_next(bits)) != sim.ffi.NULL:
        seen.append(at[0])
    assert seen == sorted(members)
    assert sim.lib.bpf_iter_bits_new(bits, source, 5) == -errno.E2BIG
    assert sim.lib.bpf_iter_bits_next(bits) == sim.ffi.NULL


def test_a_mask_lives_until_its_last_release(checked):
    sim = checked()
    mask = sim.lib.bpf_cpumask_create()
    assert members_of(mask) == set()
    sim.lib.bpf_cpumask_set_cpu(2, mask)
    sim.lib.bpf_cpumask_release(sim.lib.bpf_cpumask_acquire(mask))
    assert sim.lib.bpf_cpumask_create() != mask
    assert members_of(mask) == {2}
    sim.lib.bpf_cpumask_release(mask)
    again = sim.lib.bpf_cpumask_create()
    assert again == mask
    assert members_of(again) == set()
