# SPDX-License-Identifier: MIT
"""Reads what the comparison left: verdicts.json of each family (docs/contracts.md).

What is missing, unreadable or of another shape is a line in `problems` of its family, and stops neither its
other pairs nor the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from scxval.catalog.comparison import FAMILIES, Margin
from scxval.compare.record import Group, Run
from scxval.compare.verdict import Verdict

VERDICTS = "verdicts.json"
# That of scxval.compare.family, which takes two seconds to import.
SCHEMA = 1

Item = TypeVar("Item")


class Fields:
    """A JSON object whose fields are taken by type. Each method raises ValueError naming the field."""

    def __init__(self, data: object, what: str) -> None:
        if not isinstance(data, Mapping):
            raise ValueError(f"{what} is not an object")
        self.data = data
        self.what = what

    def text(self, name: str, default: str | None = None) -> str:
        """A string; without a default the field must be there."""
        value = self.data.get(name)
        if value is None:
            if default is None:
                raise ValueError(f"{self.what} has no {name}")
            return default
        return str(value)

    def number(self, name: str) -> float | None:
        """A finite number, or None where there is none."""
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} of {self.what} is not a number")
        return float(value) if math.isfinite(value) else None

    def count(self, name: str) -> int:
        """How many; 0 where there is none."""
        return round(self.number(name) or 0)

    def numbers(self, name: str) -> tuple[float, ...]:
        """The finite numbers of a list."""
        values = self.values(name)
        if not all(isinstance(value, int | float) for value in values):
            raise ValueError(f"{name} of {self.what} has more than numbers")
        return tuple(float(value) for value in values if math.isfinite(value))

    def flag(self, name: str) -> bool | None:
        """True, false, or None where neither is said."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, bool):
            raise ValueError(f"{name} of {self.what} is neither true nor false")
        return value

    def verdict(self) -> Verdict | None:
        """The verdict, None where none is made."""
        value = self.data.get("verdict")
        return None if value is None else Verdict(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(str(value) for value in self.values(name))

    def words(self, name: str) -> dict[str, str]:
        """An object of strings."""
        value = self.data.get(name) or {}
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} of {self.what} is not an object")
        return {str(key): str(word) for key, word in value.items()}

    def inner(self, name: str) -> Fields | None:
        """An object in the object, None where there is none."""
        value = self.data.get(name)
        return None if value is None else Fields(value, f"{name} of {self.what}")

    def each(self, name: str, make: Callable[[Fields], Item]) -> tuple[Item, ...]:
        """A list of objects, each made into a record."""
        return tuple(make(Fields(item, f"{name} of {self.what}")) for item in self.values(name))

    def values(self, name: str) -> list[Any]:
        """A list as it is; empty where there is none."""
        value = self.data.get(name) or []
        if not isinstance(value, list):
            raise ValueError(f"{name} of {self.what} is not a list")
        return value


@dataclass(frozen=True)
class Control:
    """A control and whether it passed; None: it could not be run."""

    name: str
    passed: bool | None
    reason: str


@dataclass(frozen=True)
class Interval:
    """An effect: B/A when `ratio`, else B - A; `low` and `high` None where there is no interval."""

    ratio: bool
    estimate: float | None
    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True)
class Asked:
    """One quantity of a pair and what was found of it; None where a number cannot be had.

    `mean_*` and `sd_*` are over runs, in `unit`; so are `floor` and where B's mean agrees, `agree_*`.
    `p_*` are adjusted by Holm's method over the family, `q` by that of Benjamini and Hochberg. `rejected`
    says by copy whether it was told apart.
    """

    name: str
    metric: str
    stat: str
    task: str
    unit: str
    margin: Margin
    a: tuple[float, ...]
    b: tuple[float, ...]
    carries: bool
    why_not: str
    verdict: Verdict | None
    reason: str
    mean_a: float | None
    mean_b: float | None
    sd_a: float | None
    sd_b: float | None
    effect: Interval | None
    p_agree: float | None
    p_disagree: float | None
    q: float | None
    agree_low: float | None
    agree_high: float | None
    floor: float | None
    rejected: dict[str, bool | None]


@dataclass(frozen=True)
class Distance:
    """As `scxval.compare.record.Distance`, with `q` over the family; None where there is no number."""

    metric: str
    unit: str
    samples_a: tuple[float, ...]
    samples_b: tuple[float, ...]
    ks: float | None
    wasserstein: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    floor: float | None


@dataclass(frozen=True)
class Judged:
    """One pair as its family judged it; `folder` has its pair.json, alignment.parquet and divergence.svg."""

    family: str
    path: str
    where: dict[str, str]
    a: Group
    b: Group
    verdict: Verdict
    reason: str
    void: tuple[str, ...]
    controls: tuple[Control, ...]
    quantities: tuple[Asked, ...]
    distances: tuple[Distance, ...]
    alignments: tuple[dict[str, Any], ...]
    not_measured: dict[str, str]
    notes: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class Family:
    """One family; `verdict` is None when its verdicts.json is missing or bad, which `problems` says."""

    name: str
    folder: Path
    verdict: Verdict | None = None
    reason: str = ""
    void: tuple[str, ...] = ()
    alpha: float | None = None
    questions: int = 0
    controls: tuple[Control, ...] = ()
    pairs: tuple[Judged, ...] = ()
    problems: list[str] = field(default_factory=list)


def load_families(root: Path, planned: Collection[str] = ()) -> list[Family]:
    """Every family below `root` (results/compare), in the order of FAMILIES, others after them.

    Those that are `planned` are among them whether they have a folder or not.
    """
    there = {path.name for path in root.iterdir() if path.is_dir()} if root.is_dir() else set()
    there |= set(planned) & set(FAMILIES)
    names = [name for name in FAMILIES if name in there] + sorted(there - set(FAMILIES))
    # A folder without either file is something else, such as simulations made again.
    return [load_family(name, root / name) for name in names if _is_family(name, root / name)]


def _is_family(name: str, folder: Path) -> bool:
    return name in FAMILIES or (folder / VERDICTS).is_file()


def load_family(name: str, folder: Path) -> Family:
    """One family's verdicts.json."""
    try:
        data = json.loads((folder / VERDICTS).read_text(encoding="utf-8"))
        fields = Fields(data, VERDICTS)
        if fields.number("schema") != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA}")
        return _family(name, folder, fields)
    except FileNotFoundError:
        return Family(name, folder, problems=[f"{VERDICTS} is not there: nothing is judged yet"])
    except (OSError, ValueError, RecursionError) as error:
        return Family(name, folder, problems=[f"{VERDICTS} cannot be read: {_short(error)}"])


def _family(name: str, folder: Path, fields: Fields) -> Family:
    pairs: list[Judged] = []
    problems: list[str] = []
    for place, item in enumerate(fields.values("pairs")):
        try:
            pairs.append(_judged(name, folder, Fields(item, "the pair")))
        except ValueError as error:
            path = item.get("path") if isinstance(item, Mapping) else None
            problems.append(f"pair {path or place} cannot be read: {_short(error)}")
    return Family(
        name=name,
        folder=folder,
        verdict=fields.verdict(),
        reason=fields.text("reason", ""),
        void=fields.texts("void"),
        alpha=fields.number("alpha"),
        questions=fields.count("questions"),
        controls=fields.each("controls", _control),
        pairs=tuple(pairs),
        problems=problems,
    )


def _judged(family: str, root: Path, fields: Fields) -> Judged:
    path = fields.text("path")
    verdict = fields.verdict()
    if verdict is None:
        raise ValueError("the pair has no verdict")
    return Judged(
        family=family,
        path=path,
        where=fields.words("where"),
        a=_group(fields.inner("a")),
        b=_group(fields.inner("b")),
        verdict=verdict,
        reason=fields.text("reason", ""),
        void=fields.texts("void"),
        controls=fields.each("controls", _control),
        quantities=fields.each("quantities", _asked),
        distances=fields.each("distances", _distance),
        alignments=fields.each("alignments", lambda item: dict(item.data)),
        not_measured=fields.words("not_measured"),
        notes=fields.texts("notes"),
        folder=_folder(root, path),
    )


def _folder(root: Path, path: str) -> Path:
    """A pair's folder. Raises ValueError for a path that leads elsewhere."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError("its path leads out of the family's folder")
    return root / path


def _group(fields: Fields | None) -> Group:
    if fields is None:
        raise ValueError("the pair has not both sides")
    runs = fields.each("runs", _run)
    return Group(fields.text("name"), runs, bool(fields.flag("deterministic")))


def _run(fields: Fields) -> Run:
    removed = fields.inner("removed")
    rows = {name: removed.count(name) for name in removed.data} if removed else {}
    return Run(fields.text("path"), fields.text("outcome", ""), fields.text("why", ""), rows)


def _control(fields: Fields) -> Control:
    return Control(fields.text("name"), fields.flag("passed"), fields.text("reason", ""))


def _asked(fields: Fields) -> Asked:
    margin = fields.inner("margin") or Fields({}, "the margin")
    rejected = fields.inner("rejected")
    return Asked(
        name=fields.text("name"),
        metric=fields.text("metric", ""),
        stat=fields.text("stat", ""),
        task=fields.text("task", ""),
        unit=fields.text("unit", ""),
        margin=Margin(
            margin.number("ratio") or 0.0,
            margin.number("absolute") or 0.0,
            margin.text("reason", ""),
        ),
        a=fields.numbers("a"),
        b=fields.numbers("b"),
        carries=fields.flag("carries") is not False,
        why_not=fields.text("why_not", ""),
        verdict=fields.verdict(),
        reason=fields.text("reason", ""),
        mean_a=fields.number("mean_a"),
        mean_b=fields.number("mean_b"),
        sd_a=fields.number("sd_a"),
        sd_b=fields.number("sd_b"),
        effect=_interval(fields.inner("effect")),
        p_agree=fields.number("p_agree_holm"),
        p_disagree=fields.number("p_beyond_holm"),
        q=fields.number("q_difference"),
        agree_low=fields.number("agree_low"),
        agree_high=fields.number("agree_high"),
        floor=fields.number("floor"),
        rejected={name: rejected.flag(name) for name in rejected.data} if rejected else {},
    )


def _interval(fields: Fields | None) -> Interval | None:
    if fields is None:
        return None
    return Interval(
        ratio=bool(fields.flag("ratio")),
        estimate=fields.number("estimate"),
        low=fields.number("low"),
        high=fields.number("high"),
        method=fields.text("method", ""),
    )


def _distance(fields: Fields) -> Distance:
    return Distance(
        metric=fields.text("metric"),
        unit=fields.text("unit", ""),
        samples_a=fields.numbers("samples_a"),
        samples_b=fields.numbers("samples_b"),
        ks=fields.number("ks"),
        wasserstein=fields.number("wasserstein"),
        low=fields.number("low"),
        high=fields.number("high"),
        p=fields.number("p"),
        q=fields.number("q"),
        floor=fields.number("floor"),
    )


def _short(error: Exception) -> str:
    """One line, without the place that the page was built in."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return " ".join(str(error).split())[:200] or type(error).__name__
