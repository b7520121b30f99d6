# SPDX-License-Identifier: MIT
"""What a simulated machine takes for what, in nanoseconds, and where each number comes from."""

from __future__ import annotations

from dataclasses import dataclass, field


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
