# SPDX-License-Identifier: MIT
"""bpf_rbtree and bpf_list against sorted lists and deques."""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def tree(checked):
    return checked()


def less_of(sim):
    @sim.ffi.callback("_Bool(struct bpf_rb_node *, const struct bpf_rb_node *)")
    def less(a, b):
        return sim.ffi.cast("struct keyed *", a).key < sim.ffi.cast("const struct keyed *", b).key

    return less


def in_order(sim, root):
    """Numbers of the nodes from left to right, and the depth; checks every parent and the heap order."""
    numbers, deepest = [], 0
    stack, node, depth = [], root.top, 1
    while stack or node != sim.ffi.NULL:
        while node != sim.ffi.NULL:
            deepest = max(deepest, depth)
            for child in (node.left, node.right):
                if child != sim.ffi.NULL:
                    assert child.parent == node
                    assert child.priority <= node.priority
            stack.append((node, depth))
            node, depth = node.left, depth + 1
        node, depth = stack.pop()
        numbers.append(sim.ffi.cast("struct keyed *", node).number)
        node, depth = node.right, depth + 1
    return numbers, deepest


@settings(deadline=None, max_examples=100)
@given(st.lists(st.one_of(st.integers(0, 8), st.tuples(st.integers(0, 10**6))), max_size=60))
def test_tree(tree, steps):
    sim = tree
    less = less_of(sim)
    root = sim.ffi.new("struct bpf_rb_root *")
    other = sim.ffi.new("struct bpf_rb_root *")
    nodes, expected = [], []
    for step in steps:
        if isinstance(step, int):
            made = sim.ffi.new("struct keyed *", {"key": step, "number": len(nodes)})
            nodes.append(made)
            node = sim.ffi.addressof(made.node)
            add = sim.lib.bpf_rbtree_add_impl
            assert add(root, node, less, sim.ffi.NULL, 0) == 0
            # A node is in one tree at a time, and equals keep the order in which they came.
            assert add(root, node, less, sim.ffi.NULL, 0) == -errno.EINVAL
            assert add(other, node, less, sim.ffi.NULL, 0) == -errno.EINVAL
            assert sim.lib.bpf_rbtree_remove(other, node) == sim.ffi.NULL
            at = bisect_right([nodes[n].key for n in expected], step)
            expected.insert(at, len(nodes) - 1)
        elif expected:
            number = expected.pop(step[0] % len(expected))
            node = sim.ffi.addressof(nodes[number].node)
            assert sim.lib.bpf_rbtree_remove(root, node) == node
            assert sim.lib.bpf_rbtree_remove(root, node) == sim.ffi.NULL
        assert in_order(sim, root)[0] == expected
        first = sim.lib.bpf_rbtree_first(root)
        if expected:
            assert sim.ffi.cast("struct keyed *", first).number == expected[0]
        else:
            assert first == sim.ffi.NULL


def test_tree_stays_flat(tree):
    """Keys in order are the worst case of a tree that is not balanced."""
    less = less_of(tree)
    root = tree.ffi.new("struct bpf_rb_root *")
    nodes = [tree.ffi.new("struct keyed *", {"key": n, "number": n}) for n in range(2000)]
    for made in nodes:
        tree.lib.bpf_rbtree_add_impl(root, tree.ffi.addressof(made.node), less, tree.ffi.NULL, 0)
    numbers, depth = in_order(tree, root)
    assert numbers == list(range(2000))
    assert depth < 40


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["push_front", "push_back", "pop_front", "pop_back"])))
def test_list(tree, steps):
    sim = tree
    head = sim.ffi.new("struct bpf_list_head *")
    expected, nodes = deque(), []
    for step in steps:
        if step.startswith("push"):
            node = sim.ffi.new("struct bpf_list_node *")
            nodes.append(node)
            push = getattr(sim.lib, f"bpf_list_{step}_impl")
            assert push(head, node, sim.ffi.NULL, 0) == 0
            assert push(head, node, sim.ffi.NULL, 0) == -errno.EINVAL
            (expected.appendleft if step == "push_front" else expected.append)(node)
        else:
            took = getattr(sim.lib, f"bpf_list_{step}")(head)
            if expected:
                assert took == (expected.popleft if step == "pop_front" else expected.pop)()
            else:
                assert took == sim.ffi.NULL
