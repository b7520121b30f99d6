# SPDX-License-Identifier: MIT
"""`python -m scxval.study`: makes one study from what has been run, and writes its folder."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from scxval.catalog.comparison import compare_from_json
from scxval.errors import ScxvalError, answer
from scxval.study.record import Inputs, StudySettings
from scxval.study.registry import make_study
from scxval.study.table import write_study


def main(argv: list[str] | None = None) -> int:
    """Make a study; 0 whatever its verdict, 2 with one line on stderr for bad input."""
    return answer("scxval study", partial(_make, _parser().parse_args(argv)))


def _make(args: argparse.Namespace) -> None:
    inputs = Inputs(
        plan=_plan(args.plan),
        runs=args.runs,
        simulations=args.simulations,
        compare=args.compare_root,
        agreement=args.agreement,
        how=compare_from_json(args.compare),
        settings=_settings(args.settings),
    )
    write_study(make_study(args.study, inputs), args.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scxval.study", description=__doc__)
    parser.add_argument("--study", required=True, help="its name in scxval.study.registry")
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--runs", type=Path, required=True, help="results/runs")
    parser.add_argument("--simulations", type=Path, required=True, help="results/sim")
    parser.add_argument("--compare-root", type=Path, required=True, help="results/compare")
    parser.add_argument("--agreement", type=Path, required=True, help="results/study/agreement")
    parser.add_argument("--compare", required=True, help="the configuration's `compare`, as JSON")
    parser.add_argument("--settings", required=True, help="the configuration's `study`, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    return parser


def _plan(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ScxvalError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise ScxvalError(f"{path}: not a plan")
    return data


def _settings(text: str) -> StudySettings:
    try:
        return StudySettings(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ScxvalError(f"not a study's settings: {error!r}") from error


if __name__ == "__main__":
    sys.exit(main())
