# SPDX-License-Identifier: MIT
"""docs/metrics.md and the registry say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scxval.events.metrics import METRICS, Metric
from scxval.events.metrics.reduce import SCOPES

DOC = Path(__file__).parents[3] / "docs/metrics.md"


def sections() -> dict[str, str]:
    """Metric -> the text under its heading, on one line."""
    parts = re.split(r"^### (\w+)$", DOC.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_same_metrics_in_the_same_order():
    assert list(sections()) == [metric.name for metric in METRICS]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_documented_as_it_is_defined(metric: Metric):
    needs = ", ".join(" or ".join(sorted(kinds)) for kinds in metric.needs) or "nothing"
    text = sections()[metric.name]
    assert text.startswith(
        f"Unit {metric.unit}, {metric.form.value}. Scopes: {', '.join(metric.scopes)}. "
        f"Needs: {needs}."
    )
    assert " ".join(metric.definition.split()) in text
    assert "Formula: " in metric.definition
    assert "Source: " in metric.definition


def test_names_are_unique_and_scopes_known():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert {scope for metric in METRICS for scope in metric.scopes} == set(SCOPES)
