# SPDX-License-Identifier: MIT
"""Families of comparisons for the report's tests, judged by the code that judges real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from report_tree import IMG, SCRIPT, WINDOW_NS, two_cpus

from scxval.catalog.comparison import Compare, Margin, parse_compare
from scxval.compare.alignment import Alignment, align, picture
from scxval.compare.family import finite, judge_family
from scxval.compare.record import Check, Distance, Group, Pair, Quantity, Run
from scxval.compare.table import write_tables
from scxval.compare.verdict import Judgement, Verdict

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
MARGIN = Margin(0.1, 10_000, "10 us is what an emulated tracepoint takes.")
WHERE = {"scheduler": "fair", "workload": "mix", "isolation": "taskset", "machine": "tcg4"}
PATH = "fair/mix/taskset/tcg4/bpftrace_vs_ftrace"


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


@cache
def _alignment() -> Alignment:
    """Two runs of tasks with hostile names; B lacks a slice of the one on CPU 0."""
    tables = []
    for rep in (0, 1):
        table = two_cpus(rep)
        times = pa.array(table["time_ns"].to_numpy() - WINDOW_NS[0])
        tables.append(table.set_column(0, table.schema.field(0), times))
    lacking = pa.array([place not in (20, 23) for place in range(len(tables[1]))])
    length_ns = WINDOW_NS[1] - WINDOW_NS[0]
    kinds = ("TaskScheduled", "TaskPreempted", "TaskSlept", "TaskWoke")
    return align(tables[0], tables[1].filter(lacking), kinds, None, 64, window_ns=length_ns)


def aligned(sides: str = "A/B", **fields: Any) -> dict[str, Any]:
    """An alignment of two runs as pair.json has it."""
    said: dict[str, Any] = json.loads(json.dumps(_alignment().summary()))
    return {"sides": sides, "a": "rep0", "b": "rep1", **said, **fields}


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
                margin=Margin(0.1, 0.02, "Pinned."),
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
                removed_a={IMG: 3},
                divergence={"what": SCRIPT, "lines": [IMG, "\x07"]},
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
            drawn = picture(_alignment().divergence, "bpftrace", IMG)
            (below / "divergence.svg").write_text(drawn)
    return folder
