# SPDX-License-Identifier: MIT
"""The loops of the alignment, compiled: cut groups into stretches, and find the best pairs of each.

scxval.study.agreement_pairs has the rule that they follow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled

I64 = npt.NDArray[np.int64]

# What stands for a row's partner: none, or not looked for because the stretch is too dense.
UNPAIRED = -1
DENSE = -2


@compiled
def align_groups(
    group_a: I64,
    time_a: I64,
    group_b: I64,
    time_b: I64,
    centre: I64,
    tolerance: int,
    orderly: bool,
    cells: int,
    partner: I64,
) -> int:
    """Walk both sides group by group, cut into stretches without a gap above the tolerance.

    Fills `partner`; returns how many stretches needed more than pairing in order. `orderly`: leave
    those alone.
    """
    count_a, count_b = len(group_a), len(group_b)
    i = j = 0
    harder = 0
    while i < count_a and j < count_b:
        if group_a[i] < group_b[j]:
            i += 1
            continue
        if group_b[j] < group_a[i]:
            j += 1
            continue
        group = group_a[i]
        i0, j0 = i, j
        last = min(time_a[i], time_b[j])
        while True:
            more_a = i < count_a and group_a[i] == group and time_a[i] - last <= tolerance
            more_b = j < count_b and group_b[j] == group and time_b[j] - last <= tolerance
            if more_a and (not more_b or time_a[i] <= time_b[j]):
                last = time_a[i]
                i += 1
            elif more_b:
                last = time_b[j]
                j += 1
            else:
                break
        if i == i0 or j == j0:
            continue
        if _in_order(time_a[i0:i], time_b[j0:j], centre[group], tolerance, orderly):
            for k in range(i - i0):
                partner[i0 + k] = j0 + k
            continue
        harder += 1
        if not orderly:
            _stretch(time_a[i0:i], time_b[j0:j], centre[group], tolerance, cells, j0, partner[i0:i])
    return harder


@compiled
def _in_order(a: I64, b: I64, centre: int, tolerance: int, orderly: bool) -> bool:
    """Whether the k-th row pairs with the k-th: no other pairing has as great a sum.

    Any other leaves a row out on each side, so that it loses at least tolerance + 1.
    """
    if len(a) != len(b):
        return False
    cost = 0
    for k in range(len(a)):
        residual = b[k] - a[k]
        if abs(residual) > tolerance:
            return False
        cost += abs(residual - centre)
        if cost > tolerance and not orderly:
            return False
    return True


@compiled
def _stretch(
    a: I64, b: I64, centre: int, tolerance: int, cells: int, first_b: int, partner: I64
) -> None:
    """Align one stretch; the side with more rows (or the earlier first difference) leads, so that
    ties are broken alike with the sides exchanged.
    """
    exchanged = len(b) > len(a)
    if len(a) == len(b):
        for k in range(len(a)):
            if a[k] != b[k]:
                exchanged = b[k] < a[k]
                break
    if not exchanged:
        found = best_partners(a, b, centre, tolerance, cells)
        for k in range(len(a)):
            partner[k] = found[k] + first_b if found[k] >= 0 else found[k]
        return
    found = best_partners(b, a, -centre, tolerance, cells)
    if found[0] == DENSE:
        partner[:] = DENSE
        return
    for k in range(len(b)):
        if found[k] >= 0:
            partner[found[k]] = k + first_b


@compiled
def best_partners(x: I64, y: I64, centre: int, tolerance: int, cells: int) -> I64:
    """For each row of `x` its partner in `y`, by dynamic programming over pairs within tolerance.

    best[j] is the greatest sum over the rows of x so far and the first j rows of y.
    """
    count_x, count_y = len(x), len(y)
    found = np.full(count_x, UNPAIRED, dtype=np.int64)
    if x[0] == x[-1] and y[0] == y[-1]:
        # All pairs are alike: the first ones, in order.
        if abs(y[0] - x[0]) <= tolerance and abs(y[0] - x[0] - centre) <= tolerance:
            for k in range(min(count_x, count_y)):
                found[k] = k
        return found
    begin = np.zeros(count_x + 1, dtype=np.int64)
    low = np.zeros(count_x, dtype=np.int64)
    high = np.zeros(count_x, dtype=np.int64)
    first = last = 0
    for i in range(count_x):
        while first < count_y and y[first] < x[i] - tolerance:
            first += 1
        while last < count_y and y[last] <= x[i] + tolerance:
            last += 1
        low[i], high[i] = first, last
        begin[i + 1] = begin[i] + last - first
    if begin[count_x] > cells:
        found[:] = DENSE
        return found
    best = np.zeros(count_y + 1, dtype=np.int64)
    step = np.zeros(begin[count_x], dtype=np.uint8)
    reach = 0
    for i in range(count_x):
        for j in range(reach, high[i]):
            best[j + 1] = best[reach]
        reach = max(reach, high[i])
        before = best[low[i]]
        for j in range(low[i], high[i]):
            without = best[j + 1]
            value, how = without, 0
            if best[j] > value:
                value, how = best[j], 1
            paired = before + tolerance + 1 - abs(y[j] - x[i] - centre)
            if paired > value:
                value, how = paired, 2
            before = without
            best[j + 1] = value
            step[begin[i] + j - low[i]] = how
    i, j = count_x - 1, count_y
    while i >= 0:
        j = min(j, high[i])
        if j <= low[i]:
            i -= 1
            continue
        how = step[begin[i] + j - 1 - low[i]]
        if how == 2:
            found[i] = j - 1
            j -= 1
            i -= 1
        elif how == 1:
            j -= 1
        else:
            i -= 1
    return found
