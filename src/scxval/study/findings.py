# SPDX-License-Identifier: MIT
"""What studies share: an answer as a finding, findings as a figure, and words for what cannot be told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scxval.catalog.comparison import Compare
from scxval.compare.statistics.judge import Judged
from scxval.compare.statistics.question import Answer
from scxval.compare.verdict import Judgement, Verdict, overall
from scxval.study.figure import Interval, intervals, nothing
from scxval.study.record import Finding, Inputs, Study

# Lines of one figure; the table has the others, too.
MOST_LINES = 60
RATIO = "ratio"


def finding_of(
    what: str, where: Mapping[str, str], unit: str, found: Answer, judged: Judged
) -> Finding:
    """An answer with its verdict. A ratio's margin is in A's means, so that 1 is no effect."""
    ratio = found.effect.ratio
    scale = found.mean_a if ratio else 1.0
    shift = 0.0 if ratio else found.mean_a
    return Finding(
        what=what,
        where=dict(where),
        verdict=judged.verdict,
        reason=judged.reason,
        unit=RATIO if ratio else unit,
        estimate=found.effect.estimate,
        low=found.effect.low,
        high=found.effect.high,
        margin_low=(found.agree_low - shift) / scale,
        margin_high=(found.agree_high - shift) / scale,
        n_a=found.n_a,
        n_b=None if found.paired else found.n_b,
        power=found.power,
        needed=found.needed_runs,
    )


def unmeasured(what: str, where: Mapping[str, str], why: str, verdict: Verdict) -> Finding:
    """A line without numbers: `verdict` is not_measured, unsupported or inconclusive."""
    return Finding(what, dict(where), verdict, why)


def judgement_of(findings: Sequence[Finding], nothing_said: str) -> Judgement:
    """The worst of the findings; `nothing_said` is the reason where there are none."""
    if not findings:
        return Judgement(Verdict.NOT_MEASURED, nothing_said)
    counts = {v: sum(f.verdict is v for f in findings) for v in Verdict}
    said = ", ".join(f"{count} {v.replace('_', ' ')}" for v, count in counts.items() if count)
    parts = {
        f"{finding.what} ({place_of(finding)})": Judgement(finding.verdict, "")
        for finding in findings
    }
    # The names of the worst; each finding has its own reason.
    worst = overall(parts)
    return replace(worst, reason=f"of {len(findings)} questions {said}: {worst.reason}")


def place_of(finding: Finding) -> str:
    """The axis values of a finding in one word."""
    return "/".join(finding.where.values())


def with_figure(study: Study, axis: str) -> Study:
    """The study with its findings drawn: ratios on a logarithmic axis with 1 in it, others as lines of words.

    Of more than MOST_LINES those that disagree come first, then what cannot be told; the caption says so.
    """
    order = (Verdict.DISAGREE, Verdict.INCONCLUSIVE, Verdict.AGREE)
    found = [f for f in study.findings if f.verdict in order]
    if not found:
        return replace(study, figure=nothing(study.title, study.judgement.reason))
    if len(found) > MOST_LINES:
        kept = sorted(found, key=lambda f: order.index(f.verdict))[:MOST_LINES]
        words = f"{MOST_LINES} of {len(found)} findings are drawn; the table has all."
        study = replace(study, caption=f"{study.caption} {words}".strip())
        found = [f for f in found if any(f is k for k in kept)]
    lines = [_line(finding) for finding in found]
    drawn = intervals(study.title, study.caption, lines, axis, log=True, reference=1.0)
    return replace(study, figure=drawn)


def _line(finding: Finding) -> Interval:
    drawn = finding.unit == RATIO and (finding.estimate or 0) > 0
    power = "" if finding.power is None else f"power {finding.power:.2f}"
    words = runs_words(finding)
    if not drawn and finding.estimate is not None:
        ends = "" if finding.low is None else f" [{finding.low:.3g}, {finding.high:.3g}]"
        words = f"{finding.estimate:.3g}{ends} {finding.unit}; {words}"
    return Interval(
        label=finding.what,
        estimate=finding.estimate if drawn else None,
        low=finding.low if drawn else None,
        high=finding.high if drawn else None,
        verdict=finding.verdict,
        n=words,
        power=power,
        margin_low=finding.margin_low if drawn else None,
        margin_high=finding.margin_high if drawn else None,
        group=place_of(finding),
    )


def runs_words(finding: Finding) -> str:
    """How many runs a finding rests on: n 6+6 for two sides, n 6 for pairs."""
    if finding.n_a is None:
        return ""
    return f"n {finding.n_a}" if finding.n_b is None else f"n {finding.n_a}+{finding.n_b}"


def too_few(findings: Sequence[Finding], how: Compare, unit: str) -> list[str]:
    """A line for the findings that more runs would decide, and one for those that none would."""
    undecided = [f for f in findings if f.verdict is Verdict.INCONCLUSIVE and f.power is not None]
    needed = [f.needed for f in undecided if f.needed is not None]
    lines = []
    if needed:
        lines.append(
            f"{len(needed)} of {len(findings)} questions are undecided with these runs. If there is no"
            f" effect, {min(needed)} to {max(needed)} {unit} (`reps`) say so, each with a chance of"
            f" {how.power:.0%}."
        )
    if len(undecided) > len(needed):
        lines.append(
            f"{len(undecided) - len(needed)} questions vary too much between runs for any number of"
            f" {unit}: take a quieter machine, or a wider margin with a reason."
        )
    return lines


def not_for_timing(inputs: Inputs, family: str, path: str) -> str:
    """Why times of a pair say nothing of several CPUs, from its runs' provenance; "" if they do."""
    record = _pair_of(inputs, family, path)
    for side in ("a", "b"):
        for run in record.get(side, {}).get("runs", []):
            why = takes_turns(inputs.runs / str(run["path"]).split("results/runs/", 1)[-1])
            if why:
                return why
    return ""


def takes_turns(folder: Path) -> str:
    """Why times of a run's machine say nothing of several CPUs; "" if they do, or nobody says."""
    try:
        file = folder / "provenance.json"
        why = json.loads(file.read_text(encoding="utf-8"))["machine"].get("not_for_smp_timing")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f"not for timing: {why}" if why else ""


def _pair_of(inputs: Inputs, family: str, path: str) -> dict[str, Any]:
    try:
        file = inputs.compare / family / path / "pair.json"
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # The family's verdicts say what is wrong with it.
        return {}
    return data if isinstance(data, dict) else {}
