# SPDX-License-Identifier: MIT
"""What a simulated machine takes for what, in nanoseconds, where each number comes from, and its file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError, unknown_name


@dataclass(frozen=True)
class Parameters:
    """Times of a machine; parts per million where a name ends in `_ppm`. `sources` has one for each name.

    The defaults are Debian's tick (CONFIG_HZ=250) and times of an idle x86 machine of the 2020s; calibration
    (scxval.simulate.calibrate) puts a machine's own in their place.
    """

    tick_ns: int = 4_000_000
    # Waking a task until its CPU begins to pick: choosing a CPU, the IPI, leaving idle.
    wake_ns: int = 3_000
    wake_cv_ppm: int = 300_000
    # From the pick to the first instruction of the task.
    switch_ns: int = 1_500
    switch_cv_ppm: int = 200_000
    # An IPI, such as that of scx_bpf_kick_cpu, until its CPU begins to pick.
    ipi_ns: int = 1_000
    # What a sleep takes beyond its length: the timer slack of SCHED_OTHER (50 us) and the interrupt.
    sleep_late_ns: int = 55_000
    sleep_late_cv_ppm: int = 100_000
    # CPU time of `run` in rt-app for each ns asked for, and its variation from one to the next.
    run_scale_ppm: int = 1_000_000
    run_cv_ppm: int = 10_000
    # The `calibration` (ns a loop) of the rt-app file that run_scale_ppm was measured with: another file's
    # `run` is that many more or fewer loops. 0: every `run` takes what it says.
    rtapp_calibration: int = 0
    # Between the starts of rt-app's threads.
    spawn_ns: int = 200_000
    sources: dict[str, str] = field(default_factory=dict)


def parameter_names() -> list[str]:
    """The names of a machine's parameters."""
    return [f.name for f in fields(Parameters) if f.name != "sources"]


def with_given(parameters: Parameters, given: dict[str, int], where: str) -> Parameters:
    """Parameters with some of them replaced. Raises ScxvalError for a name that there is not."""
    values = asdict(parameters)
    for name, value in given.items():
        if name not in parameter_names():
            raise unknown_name(f"parameter in {where}:", name, parameter_names())
        values[name] = value
        values["sources"] = {**values["sources"], name: where}
    return Parameters(**values)


def read_parameters(path: Path | None) -> Parameters:
    """A calibration's file (docs/contracts.md); the defaults without one. Raises ScxvalError."""
    if path is None:
        source = "default: no calibration was given"
        return Parameters(sources=dict.fromkeys(parameter_names(), source))
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Parameters(**data["parameters"], sources=data["sources"])
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a machine's parameters: {error!r}") from error


def parameters_record(parameters: Parameters) -> dict[str, Any]:
    """Parameters as files have them: values, and where each comes from."""
    values = asdict(parameters)
    return {"sources": values.pop("sources"), "parameters": values}
