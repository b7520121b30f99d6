# SPDX-License-Identifier: MIT
"""The alignment's properties, and its sum against all pairings there are."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scxval.study import agreement_pairs
from scxval.study.agreement_align import best_partners
from scxval.study.agreement_fields import out_of_order
from scxval.study.agreement_pairs import Pairing, Side, grouped, numbered, pair

TOLERANCE = 10
FAMILY = np.array([0, 0, 1, 1], dtype=np.int64)

# Few groups and near times, so that groups are crowded and ties abound.
rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 120)), max_size=40)


def side(pairs: list[tuple[int, int]]) -> Side:
    ordered = sorted(pairs, key=lambda row: row[1])
    group = np.array([g for g, _ in ordered], dtype=np.int64)
    return Side(group, np.array([t for _, t in ordered], dtype=np.int64))


def paired(a: Side, b: Side) -> Pairing:
    return pair(a, b, FAMILY, TOLERANCE)


def valid(found: Pairing, a: Side, b: Side) -> None:
    """One to one, in its group, within the tolerance, never crossing, every row accounted for."""
    assert sorted([*found.a, *found.only_a]) == list(range(len(a.key)))
    assert sorted([*found.b, *found.only_b]) == list(range(len(b.key)))
    assert (a.key[found.a] == b.key[found.b]).all()
    assert (np.abs(b.time_ns[found.b] - a.time_ns[found.a]) <= TOLERANCE).all()
    for group in range(len(FAMILY)):
        here = a.key[found.a] == group
        assert (np.diff(found.b[here]) > 0).all()
        assert (np.diff(found.a[here]) > 0).all()


@given(rows, rows)
@settings(max_examples=400, deadline=None)
def test_pairs_are_one_to_one_in_order_and_near(left: list, right: list) -> None:
    a, b = side(left), side(right)
    valid(paired(a, b), a, b)


@given(rows, rows)
@settings(max_examples=400, deadline=None)
def test_sides_exchanged_give_the_same_pairs(left: list, right: list) -> None:
    a, b = side(left), side(right)
    one, other = paired(a, b), paired(b, a)
    assert set(zip(one.a, one.b, strict=True)) == set(zip(other.b, other.a, strict=True))
    assert list(one.only_a) == list(other.only_b)
    assert list(one.only_b) == list(other.only_a)


@given(rows)
@settings(deadline=None)
def test_a_source_pairs_with_itself_without_residual(left: list) -> None:
    a = side(left)
    found = paired(a, a)
    assert list(found.a) == list(found.b) == list(range(len(a.key)))


@given(rows, st.data())
@settings(deadline=None)
def test_k_rows_that_one_side_lacks_leave_exactly_k_unpaired(
    left: list, data: st.DataObject
) -> None:
    a = side(left)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(left), max_size=len(left))))
    kept = kept.astype(np.bool_)
    b = Side(a.key[kept], a.time_ns[kept])
    found = paired(a, b)
    assert len(found.only_a) == (~kept).sum()
    assert len(found.only_b) == 0
    assert (b.time_ns[found.b] == a.time_ns[found.a]).all()


@given(rows, st.integers(-TOLERANCE, TOLERANCE))
@settings(deadline=None)
def test_a_clock_offset_up_to_the_tolerance_is_the_residual(left: list, offset: int) -> None:
    a = side(left)
    b = Side(a.key, a.time_ns + offset)
    found = paired(a, b)
    assert list(found.a) == list(found.b) == list(range(len(a.key)))
    assert (b.time_ns[found.b] - a.time_ns[found.a] == offset).all()


@given(rows, st.integers(-TOLERANCE, TOLERANCE), st.data())
@settings(deadline=None)
def test_offset_and_missing_rows_are_told_apart(
    left: list, offset: int, data: st.DataObject
) -> None:
    a = side(left)
    kept = np.ones(len(left), dtype=np.bool_)
    if left:
        kept[data.draw(st.lists(st.integers(0, len(left) - 1), max_size=5))] = False
    # What tells the offset of a kind: one of its groups that lacks nothing.
    assume((a.key == 0).any() and (a.key == 2).any())
    kept |= (a.key == 0) | (a.key == 2)
    b = Side(a.key[kept], a.time_ns[kept] + offset)
    found = paired(a, b)
    assert len(found.only_a) == (~kept).sum()
    assert (b.time_ns[found.b] - a.time_ns[found.a] == offset).all()


def greatest_sum(x: list[int], y: list[int], centre: int) -> int:
    """The greatest sum over all order-preserving pairings, by trying each."""

    @cache
    def best(i: int, j: int) -> int:
        if i == len(x) or j == len(y):
            return 0
        tried = [best(i + 1, j), best(i, j + 1)]
        if abs(y[j] - x[i]) <= TOLERANCE:
            tried.append(TOLERANCE + 1 - abs(y[j] - x[i] - centre) + best(i + 1, j + 1))
        return max(tried)

    return best(0, 0)


times = st.lists(st.integers(0, 60), min_size=1, max_size=12).map(sorted)


@given(times, times, st.integers(-TOLERANCE, TOLERANCE))
@settings(max_examples=500, deadline=None)
def test_no_pairing_has_a_greater_sum(x: list[int], y: list[int], centre: int) -> None:
    found = best_partners(np.array(x), np.array(y), centre, TOLERANCE, 1 << 20)
    total = sum(
        TOLERANCE + 1 - abs(y[j] - x[i] - centre) for i, j in enumerate(found.tolist()) if j >= 0
    )
    assert total == greatest_sum(x, y, centre)


@given(times, times)
@settings(max_examples=300, deadline=None)
def test_pairs_have_the_greatest_sum_about_the_centre_they_settle_on(
    x: list[int], y: list[int]
) -> None:
    a, b = side([(0, t) for t in x]), side([(0, t) for t in y])
    found = paired(a, b)
    residual = b.time_ns[found.b] - a.time_ns[found.a]
    # The centre is settled when the pairing's own median is the one that it was made with.
    sums = [
        (int((TOLERANCE + 1 - np.abs(residual - c)).sum()), greatest_sum(x, y, c))
        for c in range(-TOLERANCE, TOLERANCE + 1)
    ]
    assert any(own == greatest for own, greatest in sums)


def test_a_loss_on_each_side_is_two_unpaired_rows_not_a_row_of_wrong_pairs() -> None:
    every = list(range(0, 200, 6))
    a, b = side([(0, t) for t in every if t != 30]), side([(0, t) for t in every if t != 90])
    found = paired(a, b)
    assert a.time_ns[found.only_a].tolist() == [90]
    assert b.time_ns[found.only_b].tolist() == [30]


def test_rows_too_dense_to_align_at_once_are_aligned_with_a_narrower_tolerance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agreement_pairs, "CELLS", 50)
    a = side([(0, t) for t in range(300)])
    kept = np.arange(300) % 50 != 7
    b = Side(a.key[kept], a.time_ns[kept])
    found = paired(a, b)
    valid(found, a, b)
    assert found.dense == 594
    assert a.time_ns[found.only_a].tolist() == [7, 57, 107, 157, 207, 257]
    assert (b.time_ns[found.b] == a.time_ns[found.a]).all()


@given(rows, rows)
@settings(max_examples=200, deadline=None)
def test_dense_rows_pair_by_the_same_rules(left: list, right: list) -> None:
    a, b = side(left), side(right)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agreement_pairs, "CELLS", 6)
        valid(paired(a, b), a, b)


def test_a_million_rows_at_one_time_take_no_million_squared_steps() -> None:
    a = Side(np.zeros(500_000, dtype=np.int64), np.full(500_000, 5, dtype=np.int64))
    b = Side(a.key[:499_999], a.time_ns[:499_999])
    found = paired(a, b)
    assert (len(found.a), list(found.only_a)) == (499_999, [499_999])


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3) | st.integers(-(2**62), 2**62)), st.integers(1, 200_000))
def test_groups_are_numbered_and_sorted_stably(keys: list[int], stretch: int) -> None:
    values = np.array(keys, dtype=np.int64)
    left, right, key_of = numbered(values, values[::-1])
    assert (key_of[left] == values).all() and (key_of[right] == values[::-1]).all()
    spread = np.array([abs(key) % stretch for key in keys], dtype=np.int64)
    assert list(grouped(spread, stretch)) == list(np.argsort(spread, kind="stable"))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1000)), unique_by=lambda r: r[1]))
def test_fewest_pairs_are_called_out_of_order(pairs: list[tuple[int, int]]) -> None:
    cpu = np.array([c for c, _ in pairs], dtype=np.int64)
    places = np.array([p for _, p in pairs], dtype=np.int64)
    wrong = out_of_order(cpu, np.arange(len(pairs)), places)
    for one in set(cpu):
        here = [int(p) for p in places[cpu == one]]
        kept = [int(p) for k, p in enumerate(places) if cpu[k] == one and k not in wrong]
        assert kept == sorted(kept)
        longest: list[int] = []
        for k, value in enumerate(here):
            below = [n for p, n in zip(here, longest, strict=False) if p < value]
            longest.insert(k, 1 + max(below, default=0))
        assert len(kept) == max(longest)
