# SPDX-License-Identifier: MIT
"""Families of comparisons for the report's tests, judged by the code that judges real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from report_tree import IMG, SCRIPT

from scxval.catalog.comparison import Compare, Margin, parse_compare
from scxval.compare.family import finite, judge_family
from scxval.compare.record import Check, Distance, Group, Pair, Quantity, Run
from scxval.compare.table import write_tables
from scxval.compare.verdict import Judgement, Verdict

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
MARGIN = Margin(0.1, 10_000, "10 us is what an emulated tracepoint takes.")
WHERE = {"scheduler": "fair", "workload": "mix", "isolation": "taskset", "machine": "tcg4"}
PATH = "fair/mix/taskset/tcg4/bpftrace_vs_ftrace"
# A picture as the alignment makes them, with what an image must not be able to do.
DIVERGENCE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 60" width="300" height="60">
<title>First divergence</title><style>text{font:12px monospace;fill:#222}rect{fill:#9ac}
@media (prefers-color-scheme:dark){text{fill:#ddd}rect{fill:#357}}</style>
<rect x="60" y="8" width="90" height="18"/><rect x="60" y="34" width="150" height="18"/>
<text x="4" y="22">A</text><text x="4" y="48">B</text></svg>
"""


@cache
def how() -> Compare:
    """The shipped configuration, with fewer resamples."""
    config = parse_compare(yaml.safe_load(CONFIG.read_text())["compare"])
    return replace(config, resamples=199)


def group(name: str, runs: int, **bad: str) -> Group:
    """A side: `runs` that count, then one for each outcome in `bad` that does not, with its reason."""
    good = [
        Run(f"results/runs/{name}/rep{k}", "ok", removed={"warm-up": 120 + k, "other tasks": 7})
        for k in range(runs)
    ]
    return Group(
        name, (*good, *(Run(f"results/runs/{name}/bad", o, why) for o, why in bad.items()))
    )


def aligned(sides: str = "A/B", similarity: float = 0.9731, **fields: Any) -> dict[str, Any]:
    """One alignment, as scxval.compare.alignment summarises it."""
    counts = {"rows_a": 1100, "rows_b": 1102, "matched": 1070, "substituted": 7, "inserted": 9}
    counts |= {"deleted": 8, "edge_a": 15, "edge_b": 16, "cost": 24, "similarity": similarity}
    error = {"count": 900, "p1": -4_000, "p50": 120, "p99": 52_000, "max_abs": 91_000}
    drift = {"activations": 40, "offset_ns": 12, "drift_ppm": 1.25, "drift_low_ppm": -2.0}
    drift |= {"drift_high_ppm": 4.1, "points": 40}
    drift |= {"residual_ns": {"median": 0.0, "p1": -900.0, "p99": 1_000.0, "max_abs": 4_000}}
    measured = {**counts, "error_ns": error, "drift": drift}
    lines = ["  +0.000 cpu1 TaskWoke = +0.000 cpu1 TaskWoke", "> +3.100 cpu1 TaskSlept - "]
    return {
        **{"sides": sides, "a": "rep0", "b": "rep1", "window_ns": 10**9, "band": 64, **measured},
        "removed_a": {"idle": 20, "nothing": 0},
        "removed_b": {},
        "tasks": [{"task": f"rt-app-{k}", **measured} for k in range(14)],
        "more_tasks": 3,
        "divergence": {"task": "hog#2", "what": "hog#2, activation 17: only A", "lines": lines},
        **fields,
    }


def latency(a: Sequence[float], b: Sequence[float], **fields: Any) -> Quantity:
    """Wakeup latency in ns, one value a run, with copies of A that any margin rejects."""
    controls = {name: tuple(1.5 * value for value in a) for name in ("dilated", "starved")}
    known = {"name": "wakeup_latency p50", "metric": "wakeup_latency", "stat": "p50", "task": ""}
    known |= {"unit": "ns", "margin": MARGIN, "controls": controls}
    return Quantity(**{**known, "a": tuple(a), "b": tuple(b), **fields})


def spread(middle: float, runs: int = 6, part: float = 0.002) -> list[float]:
    """Values of runs around a middle, evenly."""
    return [middle * (1 + part * (k - (runs - 1) / 2)) for k in range(runs)]


def pair(path: str = PATH, **fields: Any) -> Pair:
    """Two groups of six runs that agree, unless `fields` say otherwise."""
    known: dict[str, Any] = {
        "family": "tracer",
        "where": WHERE,
        "a": group("bpftrace", 6, tracer_lost_events="lost 3 events"),
        "b": group("ftrace", 6),
        "quantities": (
            latency(spread(200_000), spread(203_000)),
            latency(
                spread(0.5),
                spread(0.51),
                name="utilisation value",
                metric="utilisation",
                stat="value",
                unit="ratio",
                carries=False,
                why_not="Pinned by capacity.",
            ),
        ),
        "distances": (
            Distance(
                "wakeup_latency", "ns", (310,) * 6, (305,) * 6, 0.021, 900, 300, 2_000, 0.4, 650
            ),
        ),
        "not_measured": {"dsq_latency p50": "ftrace has no DsqInsert"},
        "notes": ("threads of one name are one",),
        "checks": (Check("simulated again", True, "1234 events, all the same"),),
    }
    return Pair(path=path, **{**known, **fields})


def hostile() -> Pair:
    """A pair whose every name is an attack."""
    bad = Group(IMG, tuple(Run(SCRIPT, IMG, removed={IMG: 3}) for _ in range(6)))
    other = replace(bad, name=SCRIPT)
    return pair(
        "hostile/\u202ereverse",
        a=bad,
        b=other,
        where={"scheduler": IMG, "workload": SCRIPT},
        quantities=(
            latency(spread(1.0), spread(9e9), name=IMG, metric=IMG, stat=SCRIPT, task=IMG),
        ),
        alignments=(
            aligned(
                IMG,
                a=SCRIPT,
                tasks=[{"task": IMG}],
                removed_a={IMG: 3},
                divergence={"what": SCRIPT, "lines": [IMG, "bell\x07"]},
            ),
        ),
        not_measured={IMG: SCRIPT},
        notes=(IMG,),
        checks=(Check(IMG, False, SCRIPT),),
    )


def settled() -> Pair:
    """A pair without numbers: one side cannot exist."""
    return pair(
        "scx_simple/mix/taskset/tcg4/bpftrace_vs_ftrace",
        **dict.fromkeys(("quantities", "distances", "checks", "notes"), ()),
        not_measured={},
        b=Group("ftrace", ()),
        settled=Judgement(Verdict.UNSUPPORTED, "ftrace is not on this kernel"),
    )


def write_family(root: Path, family: str, *pairs: Pair, **changes: Any) -> Path:
    """What the family's rule leaves below `root` (results/compare); `changes` replace fields."""
    folder = root / family
    folder.mkdir(parents=True)
    own = [replace(some, family=family) for some in pairs]
    record = finite(judge_family(family, own, how()))
    (folder / "verdicts.json").write_text(json.dumps(record | changes))
    write_tables(record, folder)
    for some in own:
        below = folder / some.path
        below.mkdir(parents=True)
        some.write(below / "pair.json")
        if some.alignments:
            (below / "divergence.svg").write_text(DIVERGENCE)
    return folder
