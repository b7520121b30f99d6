# SPDX-License-Identifier: MIT
"""BPF maps against plain Python: arrays, hashes, queues, stacks, objects, the arena."""

from __future__ import annotations

import errno
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# enum bpf_map_type and the flags of bpf_map_update_elem, include/uapi/linux/bpf.h
HASH, ARRAY, PERCPU_ARRAY, QUEUE, STACK = 1, 2, 6, 22, 23
ANY, NOEXIST, EXIST = 0, 1, 2

small = st.integers(0, 9)
hash_steps = st.lists(
    st.one_of(
        st.tuples(st.just("update"), small, st.integers(0, 2**32 - 1), st.integers(0, 4)),
        st.tuples(st.just("delete"), small),
        st.tuples(st.just("lookup"), small),
    ),
    max_size=60,
)


def new_map(checked, kind, key_bytes, value_bytes, max_entries):
    declared = checked.ffi.new("void *[1]")
    made = checked.lib.sim_map(declared, kind, key_bytes, value_bytes, max_entries)
    assert made != checked.ffi.NULL
    # The same declaration is the same map.
    assert checked.lib.sim_map(declared, kind, key_bytes, value_bytes, max_entries) == made
    return made, declared


def u32(checked, value):
    return checked.ffi.new("uint32_t *", value)


def read_u32(checked, pointer):
    return None if pointer == checked.ffi.NULL else checked.ffi.cast("uint32_t *", pointer)[0]


@settings(deadline=None, max_examples=60)
@given(hash_steps, st.integers(1, 6))
def test_hash(checked, steps, max_entries):
    sim = checked()
    made, _declared = new_map(sim, HASH, 4, 4, max_entries)
    expected = {}
    for what, key, *rest in steps:
        at = u32(sim, key)
        if what == "update":
            value, flags = rest
            if flags > EXIST:
                answer = -errno.EINVAL
            elif key in expected and flags == NOEXIST:
                answer = -errno.EEXIST
            elif key not in expected and flags == EXIST:
                answer = -errno.ENOENT
            elif key not in expected and len(expected) == max_entries:
                answer = -errno.E2BIG
            else:
                answer = 0
                expected[key] = value
            assert sim.lib.sim_map_update(made, at, u32(sim, value), flags) == answer
        elif what == "delete":
            answer = 0 if expected.pop(key, None) is not None else -errno.ENOENT
            assert sim.lib.sim_map_delete(made, at) == answer
        assert read_u32(sim, sim.lib.sim_map_lookup(made, at, 0)) == expected.get(key)


def test_an_element_of_a_hash_stays_where_it_is(checked):
    """A scheduler keeps pointers to values while others come and go."""
    sim = checked()
    made, _declared = new_map(sim, HASH, 8, 12, 1000)
    first = sim.ffi.new("uint64_t *", 1)
    sim.lib.sim_map_update(made, first, b"a" * 12, ANY)
    kept = sim.lib.sim_map_lookup(made, first, 0)
    for key in range(2, 900):
        sim.lib.sim_map_update(made, sim.ffi.new("uint64_t *", key), b"b" * 12, ANY)
    assert sim.lib.sim_map_lookup(made, first, 0) == kept
    assert sim.ffi.buffer(kept, 12)[:] == b"a" * 12


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.lists(st.tuples(small, st.integers(0, 2**64 - 1), st.integers(0, 3))))
def test_array(checked, max_entries, steps):
    sim = checked()
    made, _declared = new_map(sim, ARRAY, 4, 8, max_entries)
    expected = [0] * max_entries
    for key, value, flags in steps:
        if flags > EXIST:
            answer = -errno.EINVAL
        elif key >= max_entries:
            answer = -errno.E2BIG
        elif flags == NOEXIST:
            answer = -errno.EEXIST
        else:
            answer = 0
            expected[key] = value
        value_at = sim.ffi.new("uint64_t *", value)
        assert sim.lib.sim_map_update(made, u32(sim, key), value_at, flags) == answer
    for key in range(10):
        found = sim.lib.sim_map_lookup(made, u32(sim, key), 0)
        if key >= max_entries:
            assert found == sim.ffi.NULL
        else:
            assert sim.ffi.cast("uint64_t *", found)[0] == expected[key]
    assert sim.lib.sim_map_delete(made, u32(sim, 0)) == -errno.EINVAL


def test_percpu_array_has_a_copy_for_each_cpu(checked):
    sim = checked(nr_cpus=3)
    made, _declared = new_map(sim, PERCPU_ARRAY, 4, 4, 2)
    for cpu in range(3):
        for key in range(2):
            found = sim.lib.sim_map_lookup(made, u32(sim, key), cpu)
            sim.ffi.cast("uint32_t *", found)[0] = 10 * cpu + key + 1
    for cpu in range(3):
        for key in range(2):
            found = sim.lib.sim_map_lookup(made, u32(sim, key), cpu)
            assert read_u32(sim, found) == 10 * cpu + key + 1
    assert sim.lib.sim_map_lookup(made, u32(sim, 2), 0) == sim.ffi.NULL
    for cpu in (3, -1):
        assert sim.lib.sim_map_lookup(made, u32(sim, 0), cpu) == sim.ffi.NULL


@pytest.mark.parametrize("kind", [QUEUE, STACK])
@settings(deadline=None, max_examples=60)
@given(
    max_entries=st.integers(1, 4),
    steps=st.lists(st.one_of(st.integers(0, 99), st.sampled_from(["pop", "peek", "replace"]))),
)
def test_queue_and_stack(checked, kind, max_entries, steps):
    sim = checked()
    made, _declared = new_map(sim, kind, 0, 4, max_entries)
    expected = deque()
    value = u32(sim, 0)
    for step in steps:
        if step in ("pop", "peek"):
            value[0] = 77
            answer = sim.lib.sim_queue_pop(made, value, step == "pop")
            if not expected:
                assert (answer, value[0]) == (-errno.ENOENT, 0)
                continue
            assert (answer, value[0]) == (0, expected[0 if kind == QUEUE else -1])
            if step == "pop":
                (expected.popleft if kind == QUEUE else expected.pop)()
            continue
        replaced = step == "replace"
        value[0] = 55 if replaced else step
        answer = sim.lib.sim_queue_push(made, value, EXIST if replaced else ANY)
        if len(expected) < max_entries or replaced:
            assert answer == 0
            if len(expected) == max_entries:
                expected.popleft()
            expected.append(value[0])
        else:
            assert answer == -errno.E2BIG
    assert sim.lib.sim_queue_push(made, value, NOEXIST) == -errno.EINVAL


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 300), max_size=40))
def test_objects_are_zeroed_and_do_not_overlap(checked, sizes):
    sim = checked()
    live = []
    for number, size in enumerate(sizes):
        made = sim.lib.sim_obj_new(size)
        assert sim.ffi.buffer(made, size)[:] == bytes(size)
        sim.ffi.buffer(made, size)[:] = bytes([number % 255 + 1]) * size
        live.append((made, size, number % 255 + 1))
        if number % 3 == 2:
            gone, size, mark = live.pop(0)
            assert sim.ffi.buffer(gone, size)[:] == bytes([mark]) * size
            sim.lib.sim_obj_free(gone)
    for made, size, mark in live:
        assert sim.ffi.buffer(made, size)[:] == bytes([mark]) * size


def test_arena_gives_zeroed_pages_up_to_its_size(checked):
    sim = checked()
    arena = sim.ffi.new("void *[1]")
    one = sim.lib.sim_arena_alloc(arena, 4, sim.ffi.NULL, 1)
    three = sim.lib.sim_arena_alloc(arena, 4, sim.ffi.NULL, 3)
    assert int(sim.ffi.cast("uintptr_t", one)) % 4096 == 0
    assert sim.ffi.buffer(three, 3 * 4096)[:] == bytes(3 * 4096)
    assert sim.lib.sim_arena_alloc(arena, 4, sim.ffi.NULL, 1) == sim.ffi.NULL
    sim.lib.memset(three, 7, 3 * 4096)
    sim.lib.sim_arena_free(arena, three, 3)
    again = sim.lib.sim_arena_alloc(arena, 4, sim.ffi.NULL, 3)
    assert sim.ffi.buffer(again, 3 * 4096)[:] == bytes(3 * 4096)
    assert sim.lib.sim_arena_alloc(arena, 4, sim.ffi.NULL, 0) == sim.ffi.NULL


def test_memory_that_is_used_up_ends_the_scheduler(checked):
    sim = checked()
    assert sim.lib.sim_map(sim.ffi.new("void *[1]"), ARRAY, 4, 1 << 20, 1 << 10) == sim.ffi.NULL
    assert "memory is used up" in sim.text()


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=1, max_size=60), st.data())
def test_memory_functions(checked, data, draw):
    sim = checked()
    start = draw.draw(st.integers(0, len(data)))
    to = draw.draw(st.integers(0, len(data)))
    size = draw.draw(st.integers(0, len(data) - max(start, to)))
    block = sim.ffi.new("char[]", data)
    sim.lib.memmove(block + to, block + start, size)
    expected = bytearray(data)
    expected[to : to + size] = data[start : start + size]
    assert sim.ffi.buffer(block, len(data))[:] == bytes(expected)
    order = sim.lib.memcmp(data, bytes(expected), len(data))
    assert (order > 0) - (order < 0) == (data > expected) - (data < expected)
