# SPDX-License-Identifier: MIT
"""The page's section on simulations: a row each, what could not be simulated, and where parameters
come from.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scxval.catalog.outcomes import Outcome
from scxval.report.cell import style
from scxval.report.load import NOT_RUN, UNREADABLE

# What one simulation says of whose decisions it has.
POLICIES = {"code": "the scheduler's own code", "model": "a model", "": "none"}


@dataclass(frozen=True)
class Row:
    """One planned simulation. `speed` is simulated seconds for each second of wall clock, ""
    without an end.
    """

    path: str
    state: str
    style: str
    reason: str
    policy: str
    events: str
    speed: str


@dataclass(frozen=True)
class Calibrated:
    """One machine: its parameters by name, value and source, and how many of them are measured."""

    machine: str
    parameters: list[tuple[str, str, str]]
    measured: int


@dataclass(frozen=True)
class Section:
    """Everything of the section; empty when the plan simulates nothing."""

    rows: list[Row] = field(default_factory=list)
    excluded: list[tuple[str, str, list[str]]] = field(default_factory=list)
    machines: list[Calibrated] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether the plan has no simulations, not even excluded ones."""
        return not self.rows and not self.excluded


def section(plan: Mapping[str, Any], root: Path | None) -> Section:
    """Read the simulations that a plan names below `root`; a file that is missing or bad is said in
    its row.
    """
    paths = [str(path) for path in plan.get("simulations", [])]
    if root is None:
        return Section()
    return Section(
        rows=[_row(path, root / path) for path in paths],
        excluded=_excluded(plan.get("excluded_simulations", [])),
        machines=_machines(root / "calibration", paths),
    )


def _row(path: str, folder: Path) -> Row:
    try:
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
        state = str(Outcome(status["outcome"]))
        policy = POLICIES[status["policy"]]
        simulated, wall = status["simulated_s"], float(status["wall_s"])
        reason = str(status["reason"])
    except FileNotFoundError:
        return Row(path, NOT_RUN, style(NOT_RUN), "", "", "", "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Row(path, UNREADABLE, style(UNREADABLE), f"status.json: {error!r}", "", "", "")
    speed = f"{float(simulated) / wall:.1f}" if simulated is not None and wall > 0 else ""
    return Row(path, state, style(state), reason, policy, _events(folder), speed)


def _events(folder: Path) -> str:
    try:
        record = json.loads((folder / "capability.json").read_text(encoding="utf-8"))
        return str(int(record["events"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _excluded(items: list[Any]) -> list[tuple[str, str, list[str]]]:
    """By outcome and reason: which simulations, without their seeds."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for item in items:
        group = str(item["simulation"]).rpartition("/")[0]
        found.setdefault((str(item["outcome"]), str(item["reason"])), Counter())[group] += 1
    return [(outcome, reason, list(groups)) for (outcome, reason), groups in found.items()]


def _machines(folder: Path, paths: list[str]) -> list[Calibrated]:
    names = dict.fromkeys(path.split("/")[3] for path in paths if path.count("/") == 4)
    found = []
    for name in names:
        try:
            record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            rows = [
                (key, str(value), str(record["sources"][key]))
                for key, value in record["parameters"].items()
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        measured = sum(not source.startswith("default:") for _, _, source in rows)
        found.append(Calibrated(name, rows, measured))
    return found
