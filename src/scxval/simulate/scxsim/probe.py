# SPDX-License-Identifier: MIT
"""What a binary that is said to be scxsim is, and what this build of it can: asked, never assumed."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scxval.files import sha256
from scxval.simulate.scxsim.process import run

LIMIT_S = 20.0
# A build that lacks one of these cannot be driven.
_NEEDED = ("--seed", "--perfetto", "--trace-format", "--structops-jsonl")
_DURATION = ("--duration", "--end-time")


class NotUsableError(Exception):
    """The binary cannot be used; the text is the reason that a person can act on."""


@dataclass(frozen=True)
class Probe:
    """One build. `flags` are those of `run`; `schedulers` is None when it does not list them.

    `vm-run` in `subcommands` tells newer builds from older ones; it is not used here.
    """

    path: Path
    sha256: str
    version: str
    subcommands: tuple[str, ...]
    flags: tuple[str, ...]
    schedulers: tuple[str, ...] | None

    @property
    def duration_flag(self) -> str:
        """The flag that sets the simulated time: one is an alias that help may not show."""
        return next((flag for flag in _DURATION if flag in self.flags), _DURATION[0])

    def record(self) -> dict[str, object]:
        """What goes into provenance.json."""
        return {
            "binary": self.path.name,
            "sha256": self.sha256,
            "version": self.version,
            "subcommands": list(self.subcommands),
            "flags": list(self.flags),
            "schedulers": None if self.schedulers is None else list(self.schedulers),
        }


def find(binary: str) -> Path:
    """The file that a path or a name on PATH means. Raises NotUsableError."""
    if not binary:
        raise NotUsableError(
            "the simulator's entry names no `binary`: give the path of scxsim, or its name on PATH"
        )
    found = shutil.which(str(Path(binary).expanduser()) if "/" in binary else binary)
    if found:
        # Not what a link points to: a program may look at the name that it is called by.
        return Path(found).absolute()
    if "/" not in binary:
        raise NotUsableError(
            f"no {binary} on PATH: build scxsim from its source, and put it there or give its path as "
            "`binary` of the simulator's entry"
        )
    path = Path(binary).expanduser()
    what = "is not an executable file" if path.exists() else "does not exist"
    raise NotUsableError(
        f"{binary} {what}: build scxsim from its source and give its path as `binary` of the "
        "simulator's entry"
    )


def probe(binary: str, limit_s: float = LIMIT_S) -> Probe:
    """Ask a binary what it is. Raises NotUsableError when it is not there, or is not scxsim."""
    path = find(binary)
    code, version = _ask(path, ("--version",), limit_s)
    # Some builds have no --version: the parser of arguments then refuses it with 2.
    version = version.strip().partition("\n")[0][:200] if code == 0 else ""
    code, help_text = _ask(path, ("--help",), limit_s)
    if code != 0 or "scxsim" not in f"{version}\n{help_text}":
        raise NotUsableError(
            f"{binary} is not scxsim: its --help ended with {code} and does not name scxsim; "
            "mend `binary` of the simulator's entry"
        )
    subcommands = _subcommands(help_text)
    if "run" not in subcommands:
        raise NotUsableError(
            f"{binary} is scxsim without the subcommand `run` (it has: "
            f"{', '.join(subcommands) or 'none'}): build a newer one"
        )
    code, run_help = _ask(path, ("run", "--help"), limit_s)
    flags = _flags(run_help) if code == 0 else ()
    lacking = [flag for flag in _NEEDED if flag not in flags]
    if lacking:
        raise NotUsableError(
            f"{binary}: its `run` has no {', '.join(lacking)}: build a newer scxsim"
        )
    schedulers = None
    if "--list-schedulers" in flags:
        code, listed = _ask(path, ("run", "--list-schedulers"), limit_s)
        schedulers = _schedulers(listed) if code == 0 else None
    return Probe(path, sha256(path), version, subcommands, flags, schedulers)


def _ask(path: Path, arguments: tuple[str, ...], limit_s: float) -> tuple[int, str]:
    """Exit code and stdout of a question. Raises NotUsableError."""
    asked = " ".join(arguments)
    with tempfile.TemporaryDirectory(prefix="scxval-scxsim-") as name:
        folder = Path(name)
        out, err = folder / "stdout", folder / "stderr"
        try:
            ended = run([str(path), *arguments], folder, out, err, limit_s)
        except OSError as error:
            raise NotUsableError(f"{path.name} cannot be run: {error.strerror or error}") from error
        if ended.exit_code is None:
            raise NotUsableError(
                f"{path.name} {asked} gave no answer within {limit_s:g} s: it is not scxsim, or hangs"
            )
        text = out.read_bytes()[: 1 << 20].decode("utf-8", "replace")
    return ended.exit_code, text


def _subcommands(text: str) -> tuple[str, ...]:
    """The names below `Commands:`."""
    part = re.search(r"^(?:Sub)?commands:[^\n]*\n((?:[ \t]+\S[^\n]*\n?)+)", text, re.M | re.I)
    names = re.findall(r"^[ \t]{1,4}([a-z][\w-]*)", part[1], re.M) if part else []
    return tuple(name for name in dict.fromkeys(names) if name != "help")


def _flags(text: str) -> tuple[str, ...]:
    """The long flags, with those that help names as aliases."""
    # Descriptions are indented further, and may begin with a flag's name.
    own = re.findall(r"^[ \t]{1,6}(?:-\w, )?(--[a-z][\w-]*)", text, re.M)
    groups = re.findall(r"\[alias(?:es)?: ([^\]]*)\]", text)
    aliases = [name for group in groups for name in re.findall(r"(?:--)?([a-z][\w-]*)", group)]
    return tuple(sorted({*own, *(f"--{name}" for name in aliases)}))


def _schedulers(text: str) -> tuple[str, ...]:
    """The names of a list with one a line, whatever stands before and behind each."""
    lines = (line.strip() for line in text.splitlines() if not line.rstrip().endswith(":"))
    names = (re.match(r"(?:[-*] +)?(?:scx_)?([a-z][a-z0-9_]*)(?![\w:])", line) for line in lines)
    return tuple(sorted({name[1] for name in names if name}))
