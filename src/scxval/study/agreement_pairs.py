# SPDX-License-Identifier: MIT
"""Pairs two sources' rows one to one, in order, by time: the alignment behind agreement.

The rule. Rows pair within their group (kind, CPU, task) only, never crossing: of two rows of a
group, the earlier on one side has the earlier partner on the other. A pair may be at most the
tolerance apart. Among all such pairings the one with the greatest sum of

    tolerance + 1 - |residual - centre|        over its pairs, residual = t_B - t_A

is taken: an edit distance in which leaving out a row on each side costs as much as a pair that is
the tolerance away from where it is expected. `centre` is the median residual of the kind, so that a
clock offset costs nothing: first over stretches in which both sides have equally many rows, paired in
order, then once more over the pairing itself. Where several pairings are as good, earlier rows are
paired and later ones left out.

The pairing is the same with the sides exchanged. A source paired with itself has every row paired
with residual 0, and with a copy that lacks k rows exactly those k (or equals of theirs) unpaired.

The time is linear for rows that lie farther apart than the tolerance, and rows times neighbours
within the tolerance where a source lacks some. Where that would take more than CELLS steps (only
corrupt tables are so dense) the tolerance is halved, about the centre, until it does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from scxval.study.agreement_align import DENSE, I64, UNPAIRED, align_groups

# Steps (and bytes) that the alignment of one stretch may take.
CELLS = 1 << 25


@dataclass(frozen=True)
class Side:
    """One source's rows in order of time: the group that each belongs to, and its time."""

    key: I64
    time_ns: I64


@dataclass(frozen=True)
class Pairing:
    """Places of paired rows in both sides (element by element), and of those without a partner.

    All are in order of place in the first side, the unpaired in order of place. `dense` counts rows
    for which the tolerance had to be made narrower.
    """

    a: I64
    b: I64
    only_a: I64
    only_b: I64
    dense: int = 0


def pair(a: Side, b: Side, family: I64, tolerance_ns: int) -> Pairing:
    """Pair two sides' rows. `family` has the kind of each group: rows of a kind share a centre.

    Keys are numbers of groups: places in `family`. Both sides must be in order of time.
    """
    order_a, order_b = (grouped(side.key, len(family)) for side in (a, b))
    group_a, group_b = a.key[order_a], b.key[order_b]
    time_a, time_b = a.time_ns[order_a], b.time_ns[order_b]
    centre = np.zeros(len(family), dtype=np.int64)
    partner = np.full(len(group_a), UNPAIRED, dtype=np.int64)

    def align(orderly: bool) -> int:
        partner[:] = UNPAIRED
        used = align_groups(
            group_a, time_a, group_b, time_b, centre, tolerance_ns, orderly, CELLS, partner
        )
        return int(used)

    align(orderly=True)
    centre = _centres(partner, group_a, time_a, time_b, family, centre)
    if align(orderly=False):
        again = _centres(partner, group_a, time_a, time_b, family, centre)
        if (again != centre).any():
            centre = again
            align(orderly=False)
    dense = _thin_out(group_a, time_a, group_b, time_b, centre, tolerance_ns, partner)
    return _pairing(order_a, order_b, partner, dense)


def grouped(key: I64, groups: int) -> I64:
    """Places of rows, group after group, in each in the order they had; two passes by radix."""
    order: I64 = np.argsort((key & 0xFFFF).astype(np.uint16), kind="stable")
    if groups > 1 << 16:
        order = order[np.argsort((key[order] >> 16).astype(np.uint16), kind="stable")]
    return order


def numbered(keys_a: I64, keys_b: I64) -> tuple[I64, I64, I64]:
    """Keys of both sides as numbers of groups, and the key of each group."""
    both = pa.array(np.concatenate([keys_a, keys_b])).dictionary_encode()
    codes = both.indices.to_numpy().astype(np.int64)
    return codes[: len(keys_a)], codes[len(keys_a) :], both.dictionary.to_numpy()


def _centres(partner: I64, group_a: I64, time_a: I64, time_b: I64, family: I64, centre: I64) -> I64:
    """The median residual of each group's kind, rounded; that of all for a kind without pairs."""
    paired = np.flatnonzero(partner >= 0)
    if not len(paired):
        return centre
    residual = time_b[partner[paired]] - time_a[paired]
    kind = family[group_a[paired]]
    found = np.full(int(family.max()) + 1, _median(residual), dtype=np.int64)
    for some in np.flatnonzero(np.bincount(kind)):
        found[some] = _median(residual[kind == some])
    return found[family]


def _median(values: I64) -> int:
    return int(np.rint(np.median(values)))


def _thin_out(
    group_a: I64,
    time_a: I64,
    group_b: I64,
    time_b: I64,
    centre: I64,
    tolerance_ns: int,
    partner: I64,
) -> int:
    """Align what was too dense with a narrower tolerance; returns how many rows that were."""
    here_a = np.flatnonzero(partner == DENSE)
    here_b = _beside(group_a, time_a, group_b, time_b, here_a, partner, tolerance_ns)
    count = len(here_a) + len(here_b) if len(here_a) else 0
    within_ns = tolerance_ns
    while len(here_a):
        within_ns //= 2
        part = np.full(len(here_a), UNPAIRED, dtype=np.int64)
        shifted = time_a[here_a] + centre[group_a[here_a]]
        nothing = np.zeros_like(centre)
        align_groups(
            group_a[here_a],
            shifted,
            group_b[here_b],
            time_b[here_b],
            nothing,
            within_ns,
            False,
            CELLS,
            part,
        )
        found = part >= 0
        partner[here_a] = np.where(found, here_b[np.where(found, part, 0)], part)
        left = here_a[part == DENSE]
        taken = np.zeros(len(time_b), dtype=np.bool_)
        taken[partner[partner >= 0]] = True
        here_a, here_b = left, here_b[~taken[here_b]]
    far = partner >= 0
    far[far] = np.abs(time_b[partner[far]] - time_a[far]) > tolerance_ns
    partner[far] = UNPAIRED
    return count


def _beside(
    group_a: I64,
    time_a: I64,
    group_b: I64,
    time_b: I64,
    here_a: I64,
    partner: I64,
    tolerance_ns: int,
) -> I64:
    """Rows of the second side without a partner in groups that have dense rows."""
    if not len(here_a):
        return here_a
    free = np.ones(len(group_b), dtype=np.bool_)
    free[partner[partner >= 0]] = False
    return np.flatnonzero(free & np.isin(group_b, np.unique(group_a[here_a])))


def _pairing(order_a: I64, order_b: I64, partner: I64, dense: int) -> Pairing:
    paired = partner >= 0
    in_a, in_b = order_a[paired], order_b[partner[paired]]
    by_place = np.argsort(in_a, kind="stable")
    free = np.ones(len(order_b), dtype=np.bool_)
    free[partner[paired]] = False
    return Pairing(
        in_a[by_place],
        in_b[by_place],
        np.sort(order_a[~paired]),
        np.sort(order_b[free]),
        dense,
    )
