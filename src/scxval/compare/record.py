# SPDX-License-Identifier: MIT
"""pair.json: what was read of two groups of runs, before anything is judged.

`scxval.compare.pair` writes it, `scxval.compare.family` reads it: the judgement of a quantity needs all
others of its family.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scxval.catalog.comparison import Margin
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.files import write_json

SCHEMA = 1
# How event by event alignment is named among the quantities (scxval.compare.aligned).
SIMILARITY = "similarity"


@dataclass(frozen=True)
class Run:
    """One run or simulation of a group: `why` it is not used, "" when it is. `removed` are rows of its
    event table that are compared with nothing, by class.
    """

    path: str
    outcome: str
    why: str = ""
    removed: dict[str, int] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Whether its numbers enter the comparison."""
        return not self.why


@dataclass(frozen=True)
class Group:
    """One side of a pair. `deterministic`: a simulator, whose one run with a seed is its distribution."""

    name: str
    runs: tuple[Run, ...]
    deterministic: bool = False


@dataclass(frozen=True)
class Quantity:
    """One number a run, of the runs in which it is measured; `name` is unique in its pair.

    `controls` are the numbers of distorted copies of A's runs, in A's order, by the copy's name. `task` is ""
    for those of the whole workload. Not `carries`: `why_not` says why no verdict is made of it. `blur_a` and
    `blur_b`: by how much a side's runs differ when they are alike, as equal counts over unlike windows do.
    """

    name: str
    metric: str
    stat: str
    task: str
    unit: str
    margin: Margin
    a: tuple[float, ...]
    b: tuple[float, ...]
    carries: bool = True
    why_not: str = ""
    controls: dict[str, tuple[float, ...]] = field(default_factory=dict)
    blur_a: float = 0.0
    blur_b: float = 0.0


@dataclass(frozen=True)
class Distance:
    """How far two groups' distributions of single events lie apart, every run weighing the same.

    `ks` is the greatest distance of their distribution functions, 0 to 1; `wasserstein` the area between
    them, in `unit`, with the interval [low, high] from resampling runs. `p` is from permuting runs between
    the groups, None with too few runs; `floor` the mean Wasserstein distance of two runs of A.
    """

    metric: str
    unit: str
    samples_a: tuple[int, ...]
    samples_b: tuple[int, ...]
    ks: float
    wasserstein: float
    low: float | None
    high: float | None
    p: float | None
    floor: float | None


@dataclass(frozen=True)
class Check:
    """A control that is seen without statistics, such as a simulation that was made again."""

    name: str
    passed: bool
    reason: str


@dataclass(frozen=True)
class Pair:
    """Two groups of runs of one family. `settled`: what there is to say when there are no numbers.

    `where` is what both sides share, by axis; `alignments` what events say of each two runs, as
    `scxval.compare.alignment` summarises them; `not_measured` has the reason of each quantity left out.
    """

    family: str
    path: str
    where: dict[str, str]
    a: Group
    b: Group
    quantities: tuple[Quantity, ...] = ()
    distances: tuple[Distance, ...] = ()
    alignments: tuple[dict[str, Any], ...] = ()
    checks: tuple[Check, ...] = ()
    not_measured: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    settled: Judgement | None = None

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})


def read_pair(path: Path) -> Pair:
    """Read a pair.json. Raises ScxvalError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("schema") != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA}")
        return _pair(data)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScxvalError(f"{path}: not a pair.json: {error!r}") from error


def _pair(data: dict[str, Any]) -> Pair:
    settled = data.pop("settled")
    return Pair(
        a=_group(data.pop("a")),
        b=_group(data.pop("b")),
        quantities=tuple(_quantity(item) for item in data.pop("quantities")),
        distances=tuple(_distance(item) for item in data.pop("distances")),
        alignments=tuple(data.pop("alignments")),
        checks=tuple(Check(**item) for item in data.pop("checks")),
        notes=tuple(data.pop("notes")),
        settled=Judgement(Verdict(settled["verdict"]), settled["reason"]) if settled else None,
        **data,
    )


def _group(data: dict[str, Any]) -> Group:
    return Group(**{**data, "runs": tuple(Run(**run) for run in data["runs"])})


def _quantity(data: dict[str, Any]) -> Quantity:
    controls = {name: tuple(values) for name, values in data.pop("controls").items()}
    margin, a, b = Margin(**data.pop("margin")), tuple(data.pop("a")), tuple(data.pop("b"))
    return Quantity(margin=margin, a=a, b=b, controls=controls, **data)


def _distance(data: dict[str, Any]) -> Distance:
    a, b = tuple(data.pop("samples_a")), tuple(data.pop("samples_b"))
    return Distance(samples_a=a, samples_b=b, **data)
