# SPDX-License-Identifier: MIT
"""Turns too many bad cells into exit status 1: the last step of a nightly, with thresholds in the config."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def gate(
    plan: Path, runs: Path, max_bad_cells: int, simulations: Path | None = None
) -> dict[str, Any]:
    """Count outcomes of the planned cells and simulations; a planned one without a status counts as bad.

    What the planner excluded is no failure, nor is a simulation that turned out to be unsupported when its
    scheduler was compiled.
    """
    data = json.loads(plan.read_text(encoding="utf-8"))
    outcomes = {path: _outcome(runs / path / "status.json") for path in data["cells"]}
    bad = sorted(path for path, outcome in outcomes.items() if outcome != "ok")
    if simulations is not None:
        of_sims = {
            f"sim/{path}": _outcome(simulations / path / "status.json")
            for path in data.get("simulations", [])
        }
        outcomes |= of_sims
        bad += sorted(path for path, o in of_sims.items() if o not in ("ok", "unsupported"))
    return {
        "pass": len(bad) <= max_bad_cells,
        "max_bad_cells": max_bad_cells,
        "outcomes": dict(sorted(Counter(outcomes.values()).items())),
        "bad": {path: outcomes[path] for path in bad},
        "excluded": len(data["excluded"]),
    }


def _outcome(status: Path) -> str:
    try:
        outcome: str = json.loads(status.read_text(encoding="utf-8"))["outcome"]
    except (OSError, ValueError, KeyError):
        return "not_run"
    return outcome


def main() -> int:
    """Command line of the gate rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--simulations", type=Path)
    parser.add_argument("--max-bad-cells", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    verdict = gate(args.plan, args.runs, args.max_bad_cells, args.simulations)
    if not verdict["pass"]:
        shown = ", ".join(f"{path}: {outcome}" for path, outcome in verdict["bad"].items())
        print(
            f"gate: {len(verdict['bad'])} bad cells, {args.max_bad_cells} allowed: {shown}",
            file=sys.stderr,
        )
        return 1
    args.output.write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
