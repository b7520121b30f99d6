# SPDX-License-Identifier: MIT
"""The banded edit distance against the textbook's, and what holds for any two sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.alignment.edit import (
    BLOCK,
    DELETED,
    EDGE,
    INSERTED,
    MATCHED,
    OVERLAP,
    SUBSTITUTED,
    edit,
    mark_edges,
)

# Six tokens of three kinds.
KIND_OF = np.array([0, 0, 1, 1, 1, 2])
tokens = st.lists(st.integers(0, len(KIND_OF) - 1), max_size=24)
few = st.lists(st.integers(0, 1), max_size=24)
either = st.one_of(st.tuples(tokens, tokens), st.tuples(few, few))


def textbook(a: list[int], b: list[int]) -> tuple[int, int]:
    """The least cost and, at that cost, the most matched rows: the whole matrix, in plain Python."""
    table = [[(j, 0) for j in range(len(b) + 1)]]
    for i, token in enumerate(a, 1):
        row = [(i, 0)]
        for j, other in enumerate(b, 1):
            ways = [(table[i - 1][j], 1, 0), (row[j - 1], 1, 0)]
            if token == other:
                ways.append((table[i - 1][j - 1], 0, -1))
            elif KIND_OF[token] == KIND_OF[other]:
                ways.append((table[i - 1][j - 1], 1, 0))
            row.append(min((cost + more, less + fewer) for (cost, less), more, fewer in ways))
        table.append(row)
    cost, less = table[-1][-1]
    return cost, -less


def edited(
    a: list[int], b: list[int], band: int, block: int = BLOCK, overlap: int = OVERLAP
) -> list[tuple[int, int, int]]:
    """The operations between two sequences, checked to be a way from one to the other."""
    bounds = np.array([[0, len(a), 0, len(b)]], dtype=np.int64)
    whole_a, whole_b = np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)
    op, at_a, at_b, begins = edit(whole_a, whole_b, KIND_OF, bounds, band, block, overlap)
    assert begins.tolist() == [0, len(op)]
    assert at_a[at_a >= 0].tolist() == list(range(len(a)))
    assert at_b[at_b >= 0].tolist() == list(range(len(b)))
    steps = list(zip(op.tolist(), at_a.tolist(), at_b.tolist(), strict=True))
    for what, i, j in steps:
        assert (what == DELETED) == (j < 0)
        assert (what == INSERTED) == (i < 0)
        if i >= 0 and j >= 0:
            assert (what == MATCHED) == (a[i] == b[j])
            assert KIND_OF[a[i]] == KIND_OF[b[j]]
    return steps


def cost(steps: list[tuple[int, int, int]]) -> tuple[int, int]:
    ops = [step[0] for step in steps]
    return len(ops) - ops.count(MATCHED), ops.count(MATCHED)


@given(either)
def test_a_short_one_has_the_least_cost_and_of_it_the_most_matched(
    pair: tuple[list[int], list[int]],
) -> None:
    assert cost(edited(*pair, band=64)) == textbook(*pair)


@given(either, st.integers(1, 5), st.integers(2, 9), st.data())
def test_in_a_narrow_band_and_short_blocks_it_is_a_way_that_costs_no_more_than_all(
    pair: tuple[list[int], list[int]], band: int, block: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, block - 1))
    found = cost(edited(*pair, band, block, overlap))[0]
    assert textbook(*pair)[0] <= found <= len(pair[0]) + len(pair[1])


@given(either, st.integers(1, 5), st.integers(2, 9))
def test_sides_exchanged_exchange_insertions_and_deletions(
    pair: tuple[list[int], list[int]], band: int, block: int
) -> None:
    a, b = pair
    other = {INSERTED: DELETED, DELETED: INSERTED}
    there, back = edited(a, b, band, block, 1), edited(b, a, band, block, 1)
    turned = [(other.get(what, what), j, i) for what, i, j in back]
    # A row of either side alone may come before or after one of the other's.
    assert sorted(turned) == sorted(there)


@given(st.lists(tokens, min_size=1, max_size=5), st.lists(tokens, min_size=1, max_size=5))
def test_pairs_are_laid_side_by_side_one_by_one(a: list[list[int]], b: list[list[int]]) -> None:
    count = min(len(a), len(b))
    ends_a = np.cumsum([0, *map(len, a[:count])])
    ends_b = np.cumsum([0, *map(len, b[:count])])
    bounds = np.stack([ends_a[:-1], ends_a[1:], ends_b[:-1], ends_b[1:]], axis=1)
    whole_a = np.array([token for part in a[:count] for token in part], dtype=np.int64)
    whole_b = np.array([token for part in b[:count] for token in part], dtype=np.int64)
    op, _, _, begins = edit(whole_a, whole_b, KIND_OF, bounds, 64)
    for k in range(count):
        part = op[begins[k] : begins[k + 1]]
        assert (part != MATCHED).sum() == textbook(a[k], b[k])[0]


@pytest.mark.parametrize("lost", [1, 50, 2000])
def test_a_long_one_follows_what_is_lost_however_much_it_is(lost: int) -> None:
    # A sequence without a pattern: only one way is cheap.
    a = np.random.default_rng(1).integers(0, 6, 3 * BLOCK)
    gone = np.random.default_rng(2).choice(len(a), lost, replace=False)
    b = np.delete(a, gone)
    bounds = np.array([[0, len(a), 0, len(b)]])
    op, _, _, _ = edit(a, b, KIND_OF, bounds, 64)
    assert np.bincount(op, minlength=5).tolist() == [len(b), 0, 0, lost, 0]


def test_the_known_example() -> None:
    # kitten, sitting: two substitutions and an insertion (Levenshtein distance 3), all of one kind.
    words = [[ord(c) - ord("a") for c in word] for word in ("kitten", "sitting")]
    a, b = (np.array(word, dtype=np.int64) for word in words)
    op, _, _, _ = edit(a, b, np.zeros(26, dtype=np.int64), np.array([[0, 6, 0, 7]]), 64)
    assert np.bincount(op, minlength=5).tolist() == [4, 2, 1, 0, 0]


def edges(op: list[int], **cuts: list[int]) -> list[int]:
    """Operations of one pair whose k-th row is at time k on both sides, after `mark_edges`."""
    ops = np.array(op, dtype=np.int8)
    place = np.arange(len(op))
    at_a = np.where(ops == INSERTED, -1, place)
    at_b = np.where(ops == DELETED, -1, place)
    lead, trail = cuts.get("leading", [-1, -1]), cuts.get("trailing", [0, 0, -1, -1])
    begins = np.array([0, len(op)])
    alone = np.array(cuts.get("alone", [0]))
    mark_edges(ops, at_a, at_b, begins, place, place, np.array([lead]), np.array([trail]), alone)
    return ops.tolist()


def test_what_the_other_window_had_no_time_for_is_an_edge() -> None:
    m, i, d, e, s = MATCHED, INSERTED, DELETED, EDGE, SUBSTITUTED
    # A's window ends 4 ns after the begin, B's cuts nothing.
    assert edges([m, i, s, i, i, i], trailing=[0, 0, 4, -1]) == [m, i, s, i, i, e]
    assert edges([m, d, s, d, d, d], trailing=[0, 0, 4, -1]) == [m, d, s, d, d, d]
    assert edges([m, d, s, d, d, d], trailing=[0, 0, -1, 3]) == [m, d, s, d, e, e]
    # Not behind a row that both have.
    assert edges([m, i, i, i, i, m], trailing=[0, 0, 1, 1]) == [m, i, i, i, i, m]
    # What the windows' begins cut ends at 6 in A and at 4 in B: B reaches back to A's 2.
    assert edges([d, d, d, m], leading=[6, 4]) == [e, e, d, m]
    assert edges([m, d, d, m], leading=[6, 1]) == [m, d, d, m]
    assert edges([i, i, m, i], alone=[1]) == [e, e, e, e]
