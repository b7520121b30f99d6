# SPDX-License-Identifier: MIT
"""rt-app files of a test's own, as workloads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scxval.catalog.model import Workload
from scxval.catalog.rtapp import LOGDIR


def write_rtapp(path: Path, tasks: dict[str, Any], **settings: Any) -> Workload:
    """Write a file with these tasks and return it as a workload."""
    plain = {"duration": 1, "calibration": 1000, "logdir": LOGDIR}
    path.write_text(json.dumps({"global": {**plain, **settings}, "tasks": tasks}))
    return Workload(path.stem, "rt-app", "a test's", file=path)
