# SPDX-License-Identifier: MIT
"""What is compared and how far apart it may be: the configuration's `compare`, checked, as records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scxval.errors import ScxvalError

# What two groups of runs may differ in; docs/compare.md says which cells make a pair in each.
FAMILIES = ("simulator", "tracer_none", "tracer", "isolation", "machine", "version")


@dataclass(frozen=True)
class Margin:
    """How far apart two means may be and still agree.

    mean_a / (1 + ratio) - absolute <= mean_b <= mean_a * (1 + ratio) + absolute; `absolute` is in the
    quantity's unit. Fixed before there are data, for the `reason`.
    """

    ratio: float
    absolute: float
    reason: str


@dataclass(frozen=True)
class Compared:
    """One number of a run that is compared, by metric and stat of docs/metrics.md.

    `metric` may end in `*`: every metric that begins so. `scope` is `workload` (the system's where a
    source cannot tell the workload's tasks) or `task` (one quantity for each of the workload's tasks).
    Not `carries`: it is shown with its interval, and no verdict is made of it. `worse` is `more` or `less`
    where that is bad for whoever runs the workload, else "" (history tells regressions by it).
    """

    metric: str
    stat: str
    margin: Margin
    scope: str = "workload"
    carries: bool = True
    worse: str = ""

    @property
    def name(self) -> str:
        """Metric and stat, as the configuration has it."""
        return f"{self.metric} {self.stat}"


@dataclass(frozen=True)
class Compare:
    """How comparisons are made; config/config.yaml has the defaults, each with its reason."""

    families: tuple[str, ...]
    against: tuple[str, ...]
    warm_up_ns: int
    alpha: float
    confidence: float
    power: float
    resamples: int
    random_seed: int
    distortion: float
    band: int
    clock_step_ns: int
    quantities: tuple[Compared, ...]


def parse_compare(data: Mapping[str, Any]) -> Compare:
    """The record of a `compare` that the schema has let pass. Raises ScxvalError."""
    for name in data["families"]:
        if name not in FAMILIES:
            raise ScxvalError(f"compare.families: no family {name!r}; {', '.join(FAMILIES)}")
    return Compare(
        families=tuple(dict.fromkeys(data["families"])),
        against=tuple(dict.fromkeys(data["against"])),
        warm_up_ns=data["warm_up_ms"] * 1_000_000,
        alpha=data["alpha"],
        confidence=data["confidence"],
        power=data["power"],
        resamples=data["resamples"],
        random_seed=data["random_seed"],
        distortion=data["distortion"],
        band=data["band"],
        clock_step_ns=data["clock_step_ns"],
        quantities=tuple(_compared(name, item) for name, item in data["quantities"].items()),
    )


def _compared(name: str, item: Mapping[str, Any]) -> Compared:
    metric, space, stat = name.partition(" ")
    if not space or not metric or " " in stat:
        raise ScxvalError(
            f"compare.quantities: {name!r}: expected a metric and its stat, as in 'migrations value'"
        )
    margin = Margin(float(item["ratio"]), float(item["absolute"]), item["reason"])
    return Compared(
        metric,
        stat,
        margin,
        scope=item.get("scope", "workload"),
        carries=item.get("carries", True),
        worse=item.get("worse", ""),
    )


def compare_from_json(text: str) -> Compare:
    """Read back what json.dumps(asdict(compare)) made, as rules hand it to a job. Raises ScxvalError."""
    try:
        data = json.loads(text)
        quantities = tuple(
            Compared(**{**item, "margin": Margin(**item["margin"])})
            for item in data.pop("quantities")
        )
        families, against = tuple(data.pop("families")), tuple(data.pop("against"))
        return Compare(families=families, against=against, quantities=quantities, **data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScxvalError(f"not a comparison's settings: {error!r}") from error
