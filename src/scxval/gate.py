# SPDX-License-Identifier: MIT
"""Turns a sweep that went wrong into exit status 1, by thresholds in the config: the last step of a nightly.

`python -m scxval.gate judge` writes gate.json, whatever it says; `python -m scxval.gate check` reads it and
fails. They are two steps because Snakemake removes what a failed job made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scxval.catalog.config import Gate
from scxval.errors import ScxvalError, answer
from scxval.files import read_record, write_json

# Of a simulation: its scheduler turned out not to be one that can be simulated. No failure.
UNSUPPORTED = "unsupported"


def judge(
    summary: Mapping[str, Any], gate: Gate, history: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What of a summary.json and a history.json is beyond the thresholds: `pass`, and a line a reason.

    Raises ScxvalError for a family or study in `fail_on` that the summary does not have.
    """
    bad = _bad(summary)
    planned = summary["cells"]["planned"] + summary["simulations"]["planned"]
    reasons: list[str] = []
    shown = ", ".join(f"{path}: {outcome}" for path, outcome in bad.items())
    if len(bad) > gate.max_bad_cells:
        reasons.append(f"{len(bad)} bad cells, {gate.max_bad_cells} allowed: {shown}")
    if planned and len(bad) / planned > gate.max_bad_share:
        part = f"{len(bad) / planned:.1%} of {planned} cells are bad"
        reasons.append(f"{part}, {gate.max_bad_share:.1%} allowed: {shown}")
    reasons += _verdicts(summary, gate)
    if not gate.allow_void:
        reasons += [
            f"family {name}: {pair['path']} is void: {pair['reason']}"
            for name, family in summary["families"].items()
            for pair in family["pairs"]
            if pair["void"]
        ]
    if gate.max_regressions is not None:
        reasons += _regressions(history, gate.max_regressions)
    reasons += [f"cannot be read: {problem}" for problem in summary["problems"]]
    return {
        "pass": not reasons,
        "reasons": reasons,
        "bad": bad,
        "outcomes": summary["cells"]["outcomes"],
        "excluded": summary["cells"]["excluded"],
    }


def _bad(summary: Mapping[str, Any]) -> dict[str, str]:
    """What ended other than ok, by path; simulations begin with sim/."""
    cells = {item["path"]: item["outcome"] for item in summary["cells"]["not_ok"]}
    simulations = {
        f"sim/{item['path']}": item["outcome"]
        for item in summary["simulations"]["not_ok"]
        if item["outcome"] != UNSUPPORTED
    }
    return cells | simulations


def _verdicts(summary: Mapping[str, Any], gate: Gate) -> list[str]:
    judged = summary["families"] | summary["studies"]
    reasons = []
    for name, verdicts in gate.fail_on.items():
        if name not in judged:
            known = ", ".join(judged) or "none"
            raise ScxvalError(f"gate.fail_on: no family or study {name!r} in the summary: {known}")
        if name in summary["families"]:
            reasons += [
                f"family {name}: {pair['path']}: {pair['verdict']}: {pair['reason']}"
                for pair in judged[name]["pairs"]
                if pair["verdict"] in verdicts
            ]
        elif judged[name]["verdict"] in verdicts:
            reasons.append(f"study {name}: {judged[name]['verdict']}: {judged[name]['reason']}")
    return reasons


def _regressions(history: Mapping[str, Any] | None, most: int) -> list[str]:
    if history is None:
        return ["gate.max_regressions is set, but there is no history: run `snakemake history`"]
    # What is older somebody has seen; what comes with another host alone is no regression.
    found = [one for one in history["regressions"] if one["new"] and not one["explained"]]
    if len(found) <= most:
        return []
    said = [
        f"{r['place']} {r['what']} since {r['night']}: {r['before']:.4g} to {r['after']:.4g} {r['unit']}"
        for r in found
    ]
    return [f"{len(found)} new regressions, {most} allowed: {'; '.join(said)}"]


def _judge(args: argparse.Namespace) -> None:
    try:
        gate = Gate(**json.loads(args.settings))
    except (ValueError, TypeError) as error:
        raise ScxvalError(f"not the gate's settings: {error!r}") from error
    history = read_record(args.history) if args.history else None
    write_json(args.output, judge(read_record(args.summary), gate, history))


def main(argv: list[str] | None = None) -> int:
    """`judge` writes gate.json and succeeds; `check` is 1 when it says no, with a line for each reason."""
    parser = argparse.ArgumentParser(prog="python -m scxval.gate", description=__doc__)
    steps = parser.add_subparsers(required=True, dest="step")
    judging = steps.add_parser("judge")
    judging.add_argument("--summary", type=Path, required=True)
    judging.add_argument("--settings", required=True, help="the configuration's `gate`, as JSON")
    judging.add_argument("--history", type=Path, nargs="?", help="history.json, if there is one")
    judging.add_argument("--output", type=Path, required=True)
    checking = steps.add_parser("check")
    checking.add_argument("verdict", type=Path, help="gate.json")
    args = parser.parse_args(argv)
    if args.step == "judge":
        return answer("gate", partial(_judge, args))
    reasons: list[str] = []

    def check() -> None:
        reasons.extend(read_record(args.verdict)["reasons"])

    status = answer("gate", check)
    for reason in reasons:
        print(f"gate: {reason}", file=sys.stderr)
    return 1 if reasons else status


if __name__ == "__main__":
    sys.exit(main())
