# SPDX-License-Identifier: MIT
"""Clock steps and gaps: against a plain reading of the same rows in the source's order."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.events.clocks import GAP_NS, clock_notes


def sorted_arrays(rows):
    time_ns, cpu, seq = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    order = np.lexsort((seq, cpu, time_ns))
    return time_ns[order], cpu[order].astype(np.int16), seq[order]


def steps(notes):
    found = re.match(r"clock steps: (\d+) records .* up to ([\d.]+) s;", " ".join(notes))
    return (int(found[1]), float(found[2])) if found else (0, 0.0)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 3)), min_size=1, max_size=30))
def test_steps_as_a_plain_reading_finds_them(records):
    rows = [(time, cpu, seq) for seq, (time, cpu) in enumerate(records)]
    last, back = {}, []
    for time, cpu, _ in rows:
        if time < last.get(cpu, 0):
            back.append(last[cpu] - time)
        last[cpu] = time
    notes = clock_notes(*sorted_arrays(rows), ordered=True)
    assert steps(notes) == (len(back), round(max(back, default=0) / 1e9, 6))
    assert clock_notes(*sorted_arrays(rows), ordered=False) == []


def test_other_cpus_may_be_behind():
    rows = [(100, 0, 0), (50, 1, 1), (120, 0, 2), (60, 1, 3)]
    assert clock_notes(*sorted_arrays(rows), ordered=True) == []


def test_both_rows_of_a_switch_have_one_time():
    assert clock_notes(*sorted_arrays([(5, 0, 0), (5, 0, 1), (6, 0, 2)]), ordered=True) == []


def test_gaps():
    late = 7 + GAP_NS
    assert clock_notes(*sorted_arrays([(7, 0, 0), (late, 1, 1)]), ordered=True) == []
    (note,) = clock_notes(
        *sorted_arrays([(7, 0, 0), (late + 1, 1, 1), (1 << 62, 0, 2)]), ordered=True
    )
    assert note.startswith(
        "gaps: 2 times nothing was recorded for more than 10 s, at most 46116860"
    )
    assert "from 10.000000 s on" in note


def test_no_rows():
    none = np.zeros(0, dtype=np.int64)
    assert clock_notes(none, none.astype(np.int16), none, ordered=True) == []
