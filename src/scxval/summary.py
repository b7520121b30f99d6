# SPDX-License-Identifier: MIT
"""results/summary.json: how a sweep ended, for machines: outcomes, verdicts, studies, versions.

`python -m scxval.summary`; docs/contracts.md has the keys. Nothing is judged here, and nothing left out: what
cannot be read is in `problems`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scxval.catalog.comparison import Compare, compare_from_json
from scxval.catalog.model import AXES
from scxval.compare.statistics.side import Side
from scxval.errors import ScxvalError, answer
from scxval.files import write_json
from scxval.history.readings import MADE_WITH, RunRecord, read_run
from scxval.study.record import read_study

SCHEMA = 1
# What another value of an axis is another version of by nature.
_BY_AXIS = {name: AXES.index(name) for name in ("scheduler", "workload", "tracer")}


def summarise(
    plan: Path, runs: Path, simulations: Path, compare: Path, studies: Path, how: Compare
) -> dict[str, Any]:
    """The content of summary.json. Raises ScxvalError for a plan that cannot be read."""
    planned = _plan(plan)
    problems: list[str] = []
    records = _records(runs, planned["cells"], how, problems)
    return {
        "schema": SCHEMA,
        "cells": _ended(runs, planned["cells"], planned["excluded"]),
        "simulations": _ended(
            simulations, planned.get("simulations", []), planned.get("excluded_simulations", [])
        ),
        "families": _families(compare, planned.get("pairs", {}), problems),
        "studies": _studies(studies, problems),
        "versions": _versions(records),
        "groups": _groups(records),
        "problems": problems,
    }


def _plan(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not (isinstance(data["cells"], list) and isinstance(data["excluded"], list)):
            raise TypeError("cells and excluded must be lists")
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a plan: {error!r}") from error
    return data


def _ended(root: Path, planned: Sequence[str], excluded: Sequence[Any]) -> dict[str, Any]:
    """Outcomes of what was planned; a planned one without a status is `not_run`."""
    found = {path: _outcome(root / path / "status.json") for path in planned}
    return {
        "planned": len(planned),
        "excluded": len(excluded),
        "outcomes": dict(sorted(Counter(outcome for outcome, _ in found.values()).items())),
        "not_ok": [
            {"path": path, "outcome": outcome, "reason": reason}
            for path, (outcome, reason) in sorted(found.items())
            if outcome != "ok"
        ],
    }


def _outcome(status: Path) -> tuple[str, str]:
    try:
        data = json.loads(status.read_text(encoding="utf-8"))
        return str(data["outcome"]), str(data.get("reason", ""))
    except FileNotFoundError:
        return "not_run", "no status.json"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return "not_run", f"status.json cannot be read: {error}"


def _families(
    compare: Path, planned: Mapping[str, Sequence[str]], problems: list[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for family in planned:
        path = compare / family / "verdicts.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found[family] = {
                "verdict": record["verdict"],
                "reason": record["reason"],
                "void": record["void"],
                "questions": record["questions"],
                "pairs": [_pair(pair) for pair in record["pairs"]],
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            problems.append(f"family {family}: {path.name} cannot be read: {error}")
            found[family] = {
                "verdict": "not_measured",
                "reason": "its verdicts cannot be read",
                "void": [],
                "questions": 0,
                "pairs": [],
            }
    return found


def _pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    judged = [q for q in pair["quantities"] if q["verdict"] is not None]
    powers = [q["power"] for q in judged if q["power"] is not None]
    needed = [q["needed_runs"] for q in judged if q["needed_runs"] is not None]
    return {
        "path": pair["path"],
        "verdict": pair["verdict"],
        "void": bool(pair["void"]),
        "runs": [pair["a"]["used"], pair["b"]["used"]],
        "quantities": dict(sorted(Counter(q["verdict"] for q in judged).items())),
        "least_power": min(powers, default=None),
        "most_needed_runs": max(needed, default=None),
        "reason": pair["reason"],
    }


def _studies(root: Path, problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder in sorted(file.parent for file in root.glob("*/study.json")):
        try:
            study = read_study(folder)
        except ScxvalError as error:
            problems.append(f"study {folder.name}: {error}")
            continue
        found[study.name] = {
            "verdict": str(study.judgement.verdict),
            "reason": study.judgement.reason,
            "findings": dict(sorted(Counter(str(f.verdict) for f in study.findings).items())),
            "cannot_tell": list(study.cannot_tell),
        }
    return found


def _records(
    runs: Path, planned: Sequence[str], how: Compare, problems: list[str]
) -> list[RunRecord]:
    found = []
    for path in planned:
        if not (runs / path / "status.json").exists():
            continue
        try:
            found.append(read_run(runs, path, how))
        except ScxvalError as error:
            problems.append(str(error))
    return found


def _versions(records: Sequence[RunRecord]) -> dict[str, Any]:
    """What the runs were made with; more than one of anything is worth a look."""
    return {
        "node": sorted({run.node for run in records} - {""}),
        **{
            name: sorted({getattr(run.made_with, name) for run in records} - {""})
            for name in MADE_WITH
            if name not in _BY_AXIS
        },
        **{
            name: {
                value: sorted(
                    {getattr(r.made_with, name) for r in records if r.axes[at] == value} - {""}
                )
                for value in sorted({run.axes[at] for run in records})
            }
            for name, at in _BY_AXIS.items()
        },
    }


def _groups(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Mean, standard deviation between runs and n of every configured quantity, by group of runs."""
    grouped: dict[str, dict[tuple[str, str], list[float]]] = {}
    for run in records:
        for reading in run.readings:
            place = grouped.setdefault("/".join(run.axes), {})
            place.setdefault((reading.what, reading.unit), []).append(reading.value)
    return [
        {
            "path": place,
            "quantities": [
                {
                    "what": what,
                    "unit": unit,
                    "n": len(v),
                    "mean": Side(tuple(v)).mean,
                    "sd": Side(tuple(v)).sd,
                }
                for (what, unit), v in sorted(values.items())
            ],
        }
        for place, values in sorted(grouped.items())
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the rule; 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m scxval.summary", description=__doc__)
    for name in ("plan", "runs", "simulations", "studies", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--compare-root", type=Path, required=True, help="results/compare")
    parser.add_argument("--compare", required=True, help="the configuration's `compare`, as JSON")
    return answer("scxval summary", partial(_write, parser.parse_args(argv)))


def _write(args: argparse.Namespace) -> None:
    how = compare_from_json(args.compare)
    found = summarise(args.plan, args.runs, args.simulations, args.compare_root, args.studies, how)
    write_json(args.output, found)


if __name__ == "__main__":
    sys.exit(main())
