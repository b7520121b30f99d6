# SPDX-License-Identifier: MIT
"""Runs as history keeps them, made: nights of a few repetitions around a level."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from scxval.history.changes import DAY_S
from scxval.history.readings import MadeWith, Reading, RunRecord

AXES = ("scx_simple", "periodic_mix", "bpftrace", "taskset", "tcg4")
# Noon of the first night.
START_S = 20_700 * DAY_S + 12 * 3600.0


def run(
    night: int,
    rep: int,
    value: float | None,
    what: str = "wakeup_latency p50",
    host: str = "a CPU, 2",
    axes: tuple[str, ...] = AXES,
    outcome: str = "ok",
    kernel: str = "7.2",
    after_s: float = 600.0,
) -> RunRecord:
    """One run of a night, some seconds after the night began."""
    started_s = START_S + night * DAY_S + after_s + 60 * rep
    readings = () if value is None else (_reading(what, value),)
    words = f"{started_s} {axes} {value} {what}"
    return RunRecord(
        identity=hashlib.sha256(words.encode()).hexdigest(),
        axes=axes,
        rep=rep,
        started_s=started_s,
        outcome=outcome,
        reason="",
        unused="" if outcome == "ok" else f"outcome {outcome}",
        made_with=MadeWith(host=host, kernel=kernel, scheduler="abc", scxval="0.1.0"),
        readings=readings,
    )


def _reading(what: str, value: float) -> Reading:
    name, _, task = what.partition(" task ")
    metric, stat = name.split(" ")
    return Reading(metric, stat, value, "ns", 100, "task" if task else "workload", task)


def nights(levels: Sequence[float], reps: int = 3, **more: str) -> Iterator[RunRecord]:
    """A night for each level, with runs one percent around it."""
    for night, level in enumerate(levels):
        for rep in range(reps):
            yield run(night, rep, level * (1 + 0.01 * (rep - 1)), **more)
