# SPDX-License-Identifier: MIT
"""The options of a simulator's entry that scxsim takes, checked."""

from __future__ import annotations

from dataclasses import dataclass

from scxval.catalog.model import Simulator
from scxval.errors import ScxvalError, unknown_name

_ALLOWED = ("clock", "rbc_ns", "trace_format", "timeout_s", "tag")
# The file of each trace format, in raw/.
TRACE_FILES = {"perfetto": "scxsim.pftrace", "json": "scxsim.json"}


@dataclass(frozen=True)
class Options:
    """`clock` fallback is the portable one; default is the hardware's branch counter (`rbc_ns` a branch,
    None: its default), which differs between hosts. `tag`: keys that it does something else with are
    recorded instead of refused.
    """

    clock: str = "fallback"
    rbc_ns: int | None = None
    trace_format: str = "perfetto"
    timeout_s: int = 300
    tag: bool = False

    @property
    def clock_flags(self) -> list[str]:
        """The flags that ask for the clock."""
        if self.clock == "fallback":
            return ["--no-rbc"]
        return [] if self.rbc_ns is None else ["--rbc-ns", str(self.rbc_ns)]

    @property
    def clock_mode(self) -> str:
        """The mode that the simulator prints when it has the clock asked for."""
        return "fallback" if self.clock == "fallback" else "pmu"


def read_options(simulator: Simulator) -> Options:
    """The options of an entry. Raises ScxvalError for one that is unknown or cannot be meant."""
    where = f"simulator {simulator.name}: options"
    given = simulator.options
    for name in given:
        if name not in _ALLOWED:
            raise unknown_name(f"option in {where}:", name, _ALLOWED)
    checks = {
        "clock": (given.get("clock", "fallback") in ("fallback", "default"), "fallback or default"),
        "trace_format": (given.get("trace_format", "perfetto") in TRACE_FILES, "perfetto or json"),
        "rbc_ns": (_count(given.get("rbc_ns", 1)), "an integer of 1 or more"),
        "timeout_s": (_count(given.get("timeout_s", 1)), "an integer of 1 or more (seconds)"),
        "tag": (isinstance(given.get("tag", False), bool), "true or false"),
    }
    for name, (good, wanted) in checks.items():
        if not good:
            raise ScxvalError(f"{where}: `{name}` must be {wanted}, not {given[name]!r}")
    if "rbc_ns" in given and given.get("clock") != "default":
        raise ScxvalError(f"{where}: `rbc_ns` is of the clock `default`, not of `fallback`")
    return Options(**given)  # type: ignore[arg-type]


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
