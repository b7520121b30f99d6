# SPDX-License-Identifier: MIT
"""Agreement of two tracers over different runs of one cell: metric by metric, the run being the unit.

`python -m scxval.study.agreement_runs`: status.json and metrics.parquet of every repetition with either
tracer in, agreement.json out. Nothing is paired: two runs do not have the same events. What differs may be
the tracer's reading or what the tracer does to the run; these runs cannot tell one from the other.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import t as student

from scxval.catalog.config import Agreement
from scxval.catalog.outcomes import Outcome
from scxval.compare.verdict import Judgement, Verdict, overall
from scxval.errors import ScxvalError, answer
from scxval.files import write_json
from scxval.study.agreement_rows import read_limits

# Metrics that tracers may see differently. Run time and utilisation are shown and not judged: a workload
# that fills its CPUs pins them, whatever else differs.
JUDGED = (
    ("context_switches", "value"),
    ("voluntary_switches", "value"),
    ("involuntary_switches", "value"),
    ("migrations", "value"),
    ("wakeup_latency", "count"),
    ("wakeup_latency", "p50"),
    ("scheduling_delay", "p50"),
    ("scheduling_delay", "p99"),
    ("slice_length", "p50"),
)
SHOWN = (("run_time", "value"), ("utilisation", "value"))
# The workload's tasks where both tracers tell them: the tracers themselves are among the system's.
SCOPES = ("workload", "system")

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Repetition:
    """One run's outcome and its metrics by (scope, metric, stat); None is not measured."""

    rep: int
    outcome: str
    values: dict[Key, float | None]

    @property
    def counts(self) -> bool:
        """Whether it enters the comparison: a run that lost events counts too few."""
        return self.outcome == Outcome.OK


@dataclass(frozen=True)
class Effect:
    """B over A (`ratio`) or B minus A where a value is not above 0, with its confidence interval."""

    ratio: bool
    estimate: float
    low: float | None
    high: float | None


def read_repetition(folder: Path) -> Repetition:
    """Read one run's status.json and metrics.parquet. Raises ScxvalError."""
    status, metrics = folder / "status.json", folder / "metrics.parquet"
    try:
        record = json.loads(status.read_text(encoding="utf-8"))
        rep, outcome = int(record["cell"]["rep"]), str(record["outcome"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{status}: not a run's status.json: {error!r}") from error
    try:
        table = pq.read_table(metrics, columns=["scope", "name", "metric", "stat", "value"])
    except (OSError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ScxvalError(f"{metrics}: not a metrics table: {error}") from error
    values = {
        (row["scope"], row["metric"], row["stat"]): row["value"]
        for row in table.to_pylist()
        if row["scope"] in SCOPES and not row["name"]
    }
    return Repetition(rep, outcome, values)


def effect(a: Sequence[float], b: Sequence[float], confidence: float) -> Effect:
    """Welch's interval for the ratio of geometric means, or for the difference of means.

    Of logarithms where all values are above 0, because times and counts vary by factors. No interval
    with fewer than two runs on a side, nor where no run differs from another of its side.
    """
    ratio = min(*a, *b) > 0
    sides = [[math.log(v) for v in side] if ratio else list(side) for side in (a, b)]
    middle = statistics.fmean(sides[1]) - statistics.fmean(sides[0])
    half = _half_width(sides, confidence)
    ends = (None, None) if half is None else (middle - half, middle + half)
    if not ratio:
        return Effect(False, middle, *ends)
    low, high = (None if end is None else _exp(end) for end in ends)
    return Effect(True, math.exp(middle), low, high)


def _exp(value: float) -> float:
    """With two runs a side an interval can be so wide that its end is beyond what a double holds."""
    return math.exp(min(value, 700.0))


def _half_width(sides: Sequence[Sequence[float]], confidence: float) -> float | None:
    if min(len(side) for side in sides) < 2:
        return None
    parts = [statistics.variance(side) / len(side) for side in sides]
    total = sum(parts)
    if total == 0:
        return None
    freedom = total**2 / sum(p**2 / (len(s) - 1) for p, s in zip(parts, sides, strict=True))
    return float(student.ppf((1 + confidence) / 2, freedom)) * math.sqrt(total)


def judge(found: Effect, counts: tuple[int, int], limits: Agreement) -> Judgement:
    """Agree when the whole interval is within the margin, disagree when all of it is beyond."""
    if min(counts) < 2:
        return Judgement(
            Verdict.INCONCLUSIVE,
            f"{counts[0]} and {counts[1]} good runs: with one run nothing can be said",
        )
    if found.low is None or found.high is None:
        same = found.estimate == (1 if found.ratio else 0)
        if same:
            return Judgement(Verdict.AGREE, "the same in all runs")
        return Judgement(
            Verdict.INCONCLUSIVE, "no run differs from another of its side: no interval"
        )
    if not found.ratio:
        return Judgement(
            Verdict.INCONCLUSIVE, "a value is not above 0: no ratio to hold to a margin"
        )
    text = f"B/A {found.estimate:.3g}, interval {found.low:.3g} to {found.high:.3g}"
    lowest, highest = 1 / (1 + limits.margin), 1 + limits.margin
    if lowest <= found.low and found.high <= highest:
        return Judgement(Verdict.AGREE, text)
    if found.high < lowest or found.low > highest:
        return Judgement(Verdict.DISAGREE, f"{text}: beyond {lowest:.3g} to {highest:.3g}")
    return Judgement(Verdict.INCONCLUSIVE, f"{text}: neither within nor beyond the margin")


def compare_runs(
    names: tuple[str, str],
    runs: tuple[Sequence[Repetition], Sequence[Repetition]],
    limits: Agreement,
) -> dict[str, Any]:
    """agreement.json's content for two tracers over different runs of one cell.

    The intervals hold together: each is at confidence 1 - (1 - confidence) / m for m judged metrics
    (Bonferroni).
    """
    good = tuple([run for run in side if run.counts] for side in runs)
    keys = [_key(metric, stat, good) for metric, stat in (*JUDGED, *SHOWN)]
    wanted = [key for key in keys if key is not None]
    judged = [key for key in wanted if key[1:] in JUDGED]
    each = 1 - (1 - limits.confidence) / max(1, len(judged))
    metrics = []
    parts: dict[str, Judgement] = {}
    for key in wanted:
        values = [
            [run.values[key] for run in side if run.values.get(key) is not None] for side in good
        ]
        left, right = ([float(v) for v in side if v is not None] for side in values)
        found = effect(left, right, each)
        name = " ".join(key)
        if key in judged:
            parts[name] = judge(found, (len(left), len(right)), limits)
        metrics.append(
            {
                "scope": key[0],
                "metric": key[1],
                "stat": key[2],
                "a": left,
                "b": right,
                "effect": asdict(found),
                "judged": key in judged,
                **(asdict(parts[name]) if key in judged else {}),
            }
        )
    whole = _overall(names, runs, good, parts)
    return {
        "schema": 1,
        "same_run": False,
        "a": _about(names[0], runs[0]),
        "b": _about(names[1], runs[1]),
        "limits": asdict(limits),
        "interval_confidence": each,
        "metrics": metrics,
        "not_measured": [
            " ".join(pair) for pair, key in zip((*JUDGED, *SHOWN), keys, strict=True) if key is None
        ],
        "parts": {name: asdict(part) for name, part in parts.items()},
        **asdict(whole),
    }


def _key(metric: str, stat: str, good: Sequence[Sequence[Repetition]]) -> Key | None:
    """The metric in the first scope in which both tracers have a value."""
    for scope in SCOPES:
        key = (scope, metric, stat)
        if all(any(run.values.get(key) is not None for run in side) for side in good):
            return key
    return None


def _overall(
    names: tuple[str, str],
    runs: Sequence[Sequence[Repetition]],
    good: Sequence[Sequence[Repetition]],
    parts: dict[str, Judgement],
) -> Judgement:
    for name, side, own in zip(names, runs, good, strict=True):
        if not own:
            ended = ", ".join(run.outcome for run in side) or "no run"
            return Judgement(Verdict.NOT_MEASURED, f"no good run with {name}: {ended}")
    if not parts:
        return Judgement(Verdict.NOT_MEASURED, "no metric that both tracers measure")
    counts = (len(good[0]), len(good[1]))
    if min(counts) < 2:
        return Judgement(
            Verdict.INCONCLUSIVE,
            f"{counts[0]} and {counts[1]} good runs: with one run nothing can be said",
        )
    return overall(parts)


def _about(name: str, side: Sequence[Repetition]) -> dict[str, Any]:
    return {"name": name, "runs": [{"rep": run.rep, "outcome": run.outcome} for run in side]}


def main(argv: Sequence[str] | None = None) -> int:
    """Compare two tracers over different runs; 0, or 2 when a file is at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m scxval.study.agreement_runs", description=__doc__
    )
    parser.add_argument("--names", nargs=2, required=True, metavar=("A", "B"))
    parser.add_argument("--a", nargs="+", type=Path, required=True, help="folders of A's runs")
    parser.add_argument("--b", nargs="+", type=Path, required=True, help="folders of B's runs")
    parser.add_argument("--limits", default="{}", help="thresholds as JSON (config: agreement)")
    parser.add_argument("--output", type=Path, required=True, help="agreement.json to write")
    return answer("scxval agreement", partial(_compare_files, parser.parse_args(argv)))


def _compare_files(args: argparse.Namespace) -> None:
    runs = ([read_repetition(f) for f in args.a], [read_repetition(f) for f in args.b])
    record = compare_runs((args.names[0], args.names[1]), runs, read_limits(args.limits))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(args.output, record)


if __name__ == "__main__":
    sys.exit(main())
