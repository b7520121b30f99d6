# SPDX-License-Identifier: MIT
"""Metrics of one event table: run time, waits, switches, by task, CPU and workload.

`registry` and `dispatch` define each metric, `trace` finds slices and waits in the events, `reduce`
groups and adds up, `workload` names the threads of an rt-app file. docs/metrics.md is for readers.
"""

from scxval.events.metrics.reduce import (
    METRIC_SCHEMA,
    measure,
    measure_with_samples,
    write_metrics,
)
from scxval.events.metrics.registry import METRICS
from scxval.events.metrics.samples import Form, Metric
from scxval.events.metrics.workload import rtapp_comms

__all__ = [
    "METRICS",
    "METRIC_SCHEMA",
    "Form",
    "Metric",
    "measure",
    "measure_with_samples",
    "rtapp_comms",
    "write_metrics",
]
