# SPDX-License-Identifier: MIT
"""The configuration: merged from the YAML files and `--config`, checked, and turned into records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scxval.catalog.combination import tracer_parts
from scxval.catalog.comparison import Compare, parse_compare
from scxval.catalog.load import Catalog, load_catalog
from scxval.catalog.model import AXES
from scxval.catalog.schema import check, load_schema, read_yaml, repository
from scxval.errors import ScxvalError, unknown_name

# Of `budget`.
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# The study that comes with a checkout.
PUBLISHED = "results/published"
# On the axis `simulator`: nothing is simulated.
NO_SIMULATOR = "none"


@dataclass(frozen=True)
class Limits:
    """Wall-clock limits in seconds; every wait in the guest and on the host has one."""

    boot_s: int
    attach_s: int
    ready_s: int
    workload_s: int
    stop_s: int
    total_s: int


@dataclass(frozen=True)
class Agreement:
    """When two tracers agree; config/config.yaml has the defaults, each with its reason."""

    tolerance_ns: int
    unmatched_share: float
    unmatched_rows: int
    min_rows: int
    differing_share: float
    offset_ns: int
    spread_ns: int
    drift_ppm: float


def agreement_limits(given: Mapping[str, Any]) -> Agreement:
    """The thresholds of the shipped configuration, with those given in their place.

    Raises ScxvalError for one that does not exist or cannot be what it is.
    """
    shipped = read_yaml(repository() / "config" / "config.yaml")
    wanted = {**shipped, "agreement": {**shipped["agreement"], **given}}
    for axis in AXES:
        wanted[axis] = _as_list(wanted[axis])
    check(wanted, load_schema("config"), "config")
    return Agreement(**wanted["agreement"])


@dataclass(frozen=True)
class Simulate:
    """How simulations are made: `isolation` says which CPUs the workload has and, with the other three, which
    run of a machine is its calibration. `parameters` are a machine's own, by name, and go before those.
    """

    isolation: str
    scheduler: str
    workload: str
    tracer: str
    parameters: dict[str, dict[str, int]]
    limit_s: int


@dataclass(frozen=True)
class Gate:
    """What may be wrong before `snakemake gate` fails; config/config.yaml says what each means."""

    max_bad_cells: int
    max_bad_share: float
    fail_on: dict[str, list[str]]
    allow_void: bool
    max_regressions: int | None


@dataclass(frozen=True)
class History:
    """Where results of many nights are kept, and when a change is one; config/config.yaml has the reasons."""

    store: str
    night_starts_h: int
    persistence: int
    false_alarms: float
    new_for: int
    most_nights: int


@dataclass(frozen=True)
class Config:
    """A checked configuration; axis values are lists of names that exist in the catalogue."""

    axes: dict[str, list[str]]
    baseline: str
    reps: int
    # A folder, or "": the environment's, or none.
    cache: str
    # Nothing is made anew but what follows from the runs and simulations that are there.
    archived: bool
    # A folder (scxval.published), and whether its runs are made anew.
    published: Path
    remeasure: bool
    # None: as long as it takes.
    budget_s: float | None
    limits: Limits
    lost_events_allowed: int
    gate: Gate
    history: History
    window_ms: int
    agreement: Agreement
    provision: dict[str, Any]
    probed_kernels: list[str]
    probed_vcpus: list[int]
    catalog: Catalog
    # None: nothing is simulated.
    simulators: list[str]
    seeds: list[int]
    simulate: Simulate
    compare: Compare
    # Names of scxval.study.registry, and its thresholds.
    studies: list[str]
    study: dict[str, Any]


def read_config_files(files: list[Path]) -> dict[str, Any]:
    """Merge YAML config files as Snakemake does: mappings deeply, lists replaced."""
    merged: dict[str, Any] = {}
    for file in files:
        _merge(merged, read_yaml(file))
    return merged


def over_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """The shipped configuration with what is given in its place: mappings deeply, lists replaced."""
    merged = read_yaml(repository() / "config" / "config.yaml")
    _merge(merged, given)
    return merged


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def parse_config(raw: Mapping[str, Any], root: Path | None = None) -> Config:
    """Check a raw configuration and resolve every name in it.

    `root` is the folder that relative catalogue folders are looked up in, before the checkout.
    Raises ScxvalError with one line for the first thing that is wrong.
    """
    base = root or repository()
    data = {key: _plain(value) for key, value in raw.items()}
    for axis in AXES:
        if axis in data:
            data[axis] = _as_list(data[axis])
    if "simulator" in data:
        data["simulator"] = _as_list(data["simulator"])
    if "seeds" in data and not isinstance(data["seeds"], list):
        data["seeds"] = [data["seeds"]]
    check(data, load_schema("config"), "config")
    catalog = load_catalog([_catalog_folder(base, name) for name in _as_list(data["catalog"])])
    for axis in AXES:
        if data[axis] == ["all"]:
            data[axis] = catalog.everything(axis)
        for value in data[axis]:
            if axis == "tracer":
                tracer_parts(value, catalog.tracers)
            elif value not in catalog.names(axis):
                raise unknown_name(axis, value, catalog.names(axis))
    for kernel in data["compatibility"]["kernels"]:
        if kernel not in catalog.kernels:
            raise unknown_name("kernel in compatibility", kernel, catalog.kernels)
    if data["baseline"] not in catalog.schedulers:
        raise unknown_name("baseline", data["baseline"], catalog.schedulers)
    simulators = _simulators(data["simulator"], catalog)
    return Config(
        axes={axis: data[axis] for axis in AXES},
        baseline=data["baseline"],
        reps=data["reps"],
        cache=data["cache"],
        archived=data["runs"] == "archived",
        published=base / data["published"] if data["published"] else repository() / PUBLISHED,
        remeasure=data["remeasure"],
        budget_s=budget_s(data["budget"]),
        limits=Limits(**data["limits"]),
        lost_events_allowed=data["lost_events_allowed"],
        gate=Gate(**data["gate"]),
        history=History(**data["history"]),
        window_ms=data["report"]["window_ms"],
        agreement=Agreement(**data["agreement"]),
        provision=data["provision"],
        probed_kernels=data["compatibility"]["kernels"],
        probed_vcpus=data["compatibility"]["vcpus"],
        catalog=catalog,
        simulators=simulators,
        seeds=data["seeds"],
        simulate=_simulate(data["simulate"], catalog),
        compare=parse_compare(data["compare"]),
        studies=_as_list(data["studies"]),
        study=data["study"],
    )


def budget_s(text: str | None) -> float | None:
    """Seconds of a budget such as 8h, which the schema has checked."""
    return None if text is None else float(text[:-1]) * SECONDS[text[-1]]


def _catalog_folder(base: Path, name: str) -> Path:
    """A catalogue's folder: below `base`, or else of the checkout."""
    shipped = repository() / name
    return shipped if shipped.is_dir() and not (base / name).is_dir() else base / name


def _simulators(names: list[str], catalog: Catalog) -> list[str]:
    """The simulators that are named; [] for `none`, which stands alone."""
    if NO_SIMULATOR in names:
        if len(names) > 1:
            raise ScxvalError(f"simulator: {NO_SIMULATOR} stands alone, not in {', '.join(names)}")
        return []
    if names == ["all"]:
        return list(catalog.simulators)
    for name in names:
        if name not in catalog.simulators:
            raise unknown_name("simulator", name, [NO_SIMULATOR, *catalog.simulators])
    return names


def _simulate(data: Mapping[str, Any], catalog: Catalog) -> Simulate:
    run = data["calibration"]
    for what, name, known in (
        ("isolation", data["isolation"], catalog.isolations),
        ("calibration.scheduler", run["scheduler"], catalog.schedulers),
        ("calibration.workload", run["workload"], catalog.workloads),
    ):
        if name not in known:
            raise unknown_name(f"simulate.{what}", name, known)
    tracer_parts(run["tracer"], catalog.tracers)
    for machine in data["parameters"]:
        if machine not in catalog.machines:
            raise unknown_name("machine in simulate.parameters", machine, catalog.machines)
    return Simulate(
        isolation=data["isolation"],
        **run,
        parameters={name: dict(values) for name, values in data["parameters"].items()},
        limit_s=data["limit_s"],
    )


def _as_list(value: Any) -> list[str]:
    """An axis may be one name or a list; duplicates are dropped, order is kept."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return list(dict.fromkeys(str(item) for item in items))


def _plain(value: Any) -> Any:
    """`--config` hands numbers inside lists and mappings over as strings; mend the integers."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value.isdigit() and len(value) < 10:
        return int(value)
    if value in ("True", "true"):
        return True
    if value in ("False", "false"):
        return False
    return value
