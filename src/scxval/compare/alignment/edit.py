# SPDX-License-Identifier: MIT
"""The edit distance of two sequences of rows within a band, in time and memory linear in their length.

Equal tokens cost 0, tokens of one kind with other arguments 1, a row that only one side has 1 (Wagner and
Fischer 1974, The String-to-String Correction Problem, JACM 21). Of the cheapest ways the one with the most
matched rows is taken, which makes the number of every operation unique. The band follows the cheapest cell
of the row before; what is longer than BLOCK rows is done in blocks that overlap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled

I64 = npt.NDArray[np.int64]
I8 = npt.NDArray[np.int8]

# What an operation does: codes in the arrays below.
MATCHED, SUBSTITUTED, INSERTED, DELETED, EDGE = range(5)
# Rows whose directions are held at once, and how many of them are done again with what follows: only
# there does the end of a block, which is a guess, decide anything.
BLOCK = 16_384
OVERLAP = 1_024
# One unit of cost; below it are the matched rows of a block.
_UNIT = 1 << 20
_NEVER = 1 << 60
_BOTH, _LONG, _SHORT = 0, 1, 2


@compiled
def _steps(
    long: I64, short: I64, kind_of: I64, band: int, block: int, overlap: int, steps: I8
) -> int:
    """Write the cheapest way through both sequences into `steps`; returns how many there are."""
    n, m = len(long), len(short)
    width = min(m + 1, 2 * band + 1)
    rows = min(n, block)
    way = np.empty((rows + 1, width), np.uint8)
    first = np.empty(rows + 1, np.int64)
    before, this = np.empty(width, np.int64), np.empty(width, np.int64)
    back = np.empty(n + m, np.int8)
    done, i0, j0 = 0, 0, 0
    while i0 < n or j0 < m:
        count = min(n - i0, block)
        final = i0 + count == n
        start = min(j0, m + 1 - width)
        first[0] = start
        for c in range(width):
            before[c] = (start + c - j0) * _UNIT if start + c >= j0 else _NEVER
        best = j0
        for r in range(1, count + 1):
            token = long[i0 + r - 1]
            kind = kind_of[token]
            at = max(start, min(best + 1 - band, m + 1 - width))
            shift = at - start
            start = at
            first[r] = start
            left, lowest = _NEVER, _NEVER
            for c in range(width):
                p = c + shift
                cost, take = _NEVER, _BOTH
                if 0 < p <= width:
                    other = short[start + c - 1]
                    if other == token:
                        cost = before[p - 1] - 1
                    elif kind_of[other] == kind:
                        cost = before[p - 1] + _UNIT
                if p < width and before[p] + _UNIT < cost:
                    cost, take = before[p] + _UNIT, _LONG
                if left + _UNIT < cost:
                    cost, take = left + _UNIT, _SHORT
                this[c] = cost
                way[r, c] = take
                left = cost
                if cost < lowest:
                    lowest, best = cost, start + c
            before, this = this, before
        j = start + width - 1 if final else best
        rest = m - j if final else 0
        r, length = count, 0
        while r > 0 or j > j0:
            take = way[r, j - first[r]] if r > 0 else _SHORT
            back[length] = take
            length += 1
            r -= take != _SHORT
            j -= take != _LONG
        # A block's last rows are done again, with what follows them.
        kept = count if final else count - overlap
        r, j = 0, j0
        while length > 0 and (final or r < kept):
            length -= 1
            take = back[length]
            steps[done] = take
            done += 1
            r += take != _SHORT
            j += take != _LONG
        for _ in range(rest):
            steps[done] = _SHORT
            done += 1
        i0, j0 = i0 + r, j + rest
    return done


@compiled
def edit(
    token_a: I64,
    token_b: I64,
    kind_of: I64,
    bounds: I64,
    band: int,
    block: int = BLOCK,
    overlap: int = OVERLAP,
) -> tuple[I8, I64, I64, I64]:
    """Lay each pair of sequences side by side.

    `bounds` has a row a pair: first and end in `token_a`, first and end in `token_b`. `kind_of` is the kind
    of each token, `band` how many rows to either side are looked at; sequences of which the shorter has at
    most 2 `band` rows and the longer `block` are done exactly. Returns an operation each (MATCHED,
    SUBSTITUTED, INSERTED, DELETED), its places in both, -1 where one has none, and where the operations of
    each pair begin, with the end of the last.
    """
    total = 0
    for p in range(len(bounds)):
        total += bounds[p, 1] - bounds[p, 0] + bounds[p, 3] - bounds[p, 2]
    op = np.empty(total, np.int8)
    at_a, at_b = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
    begins = np.empty(len(bounds) + 1, np.int64)
    used = 0
    for p in range(len(bounds)):
        begins[p] = used
        a, last_a, b, last_b = bounds[p]
        # An equal row at either end is matched in one of the best ways.
        while a < last_a and b < last_b and token_a[a] == token_b[b]:
            op[used], at_a[used], at_b[used] = MATCHED, a, b
            a, b, used = a + 1, b + 1, used + 1
        tail = 0
        while (
            a < last_a - tail
            and b < last_b - tail
            and token_a[last_a - tail - 1] == token_b[last_b - tail - 1]
        ):
            tail += 1
        n, m = last_a - tail - a, last_b - tail - b
        if n > 0 and m > 0:
            # Which side is which must not depend on which was named first.
            swapped = n < m or (n == m and token_a[a] > token_b[b])
            xs, ys = token_a[a : a + n], token_b[b : b + m]
            steps = np.empty(n + m, np.int8)
            if swapped:
                count = _steps(ys, xs, kind_of, band, block, overlap, steps)
            else:
                count = _steps(xs, ys, kind_of, band, block, overlap, steps)
            for s in range(count):
                step = steps[s]
                if step == _BOTH:
                    same = token_a[a] == token_b[b]
                    op[used] = MATCHED if same else SUBSTITUTED
                    at_a[used], at_b[used] = a, b
                    a, b = a + 1, b + 1
                elif (step == _LONG) != swapped:
                    op[used], at_a[used] = DELETED, a
                    a += 1
                else:
                    op[used], at_b[used] = INSERTED, b
                    b += 1
                used += 1
        while a < last_a - tail:
            op[used], at_a[used] = DELETED, a
            a, used = a + 1, used + 1
        while b < last_b - tail:
            op[used], at_b[used] = INSERTED, b
            b, used = b + 1, used + 1
        while a < last_a:
            op[used], at_a[used], at_b[used] = MATCHED, a, b
            a, b, used = a + 1, b + 1, used + 1
    begins[len(bounds)] = used
    return op[:used], at_a[:used], at_b[:used], begins


@compiled
def mark_edges(
    op: I8,
    at_a: I64,
    at_b: I64,
    begins: I64,
    time_a: I64,
    time_b: I64,
    leading: I64,
    trailing: I64,
    alone: I64,
) -> None:
    """Make EDGE of what only one side has because the other's window had no time for it.

    `leading` has, by pair, both sides' ends of what the windows' begin cuts, or -1; a row before the first
    pair that is further from its end than the other's window reaches back is an edge. `trailing` has both
    begins and both rooms, the time from the begin to the window's end where that cuts the activation, else
    -1; a row after the last pair that is further from its begin than the other's room is an edge. `alone`
    is 1 for activations that one side has and the window's end cuts: all of it is.
    """
    for p in range(len(begins) - 1):
        if alone[p]:
            op[begins[p] : begins[p + 1]] = EDGE
            continue
        end_a, end_b = leading[p]
        k = begins[p]
        while end_a >= 0 and k < begins[p + 1] and op[k] >= INSERTED:
            far_b = op[k] == INSERTED and end_b - time_b[at_b[k]] > end_a
            far_a = op[k] == DELETED and end_a - time_a[at_a[k]] > end_b
            if far_a or far_b:
                op[k] = EDGE
            k += 1
        begin_a, begin_b, room_a, room_b = trailing[p]
        k = begins[p + 1] - 1
        while (room_a >= 0 or room_b >= 0) and k >= begins[p] and op[k] >= INSERTED:
            past_b = op[k] == INSERTED and 0 <= room_a < time_b[at_b[k]] - begin_b
            past_a = op[k] == DELETED and 0 <= room_b < time_a[at_a[k]] - begin_a
            if past_a or past_b:
                op[k] = EDGE
            k -= 1
