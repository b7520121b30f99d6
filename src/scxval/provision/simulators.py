# SPDX-License-Identifier: MIT
"""Compiles the kernel tree's own BPF schedulers natively, for the simulation: in the build root.

A scheduler's .bpf.c is compiled as it is in the kernel's source package, against the shim in
scxval/simulate/builtin, and linked with the engine into one shared library. One that does not compile or
link is recorded as unsupported with the compiler's line: that is an outcome, not a failed job.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scxval.catalog.outcomes import Outcome
from scxval.errors import HarnessError, run_step
from scxval.files import sha256, write_json
from scxval.formats.btf import Btf, read_btf
from scxval.provision.enums import enums_header, enums_of
from scxval.provision.mmdebstrap import enter, work_folder
from scxval.provision.schedulers import NEWEST_LLVM
from scxval.provision.settings import Settings, settings_argument, settings_from

BUILTIN = Path(__file__).parents[1] / "simulate" / "builtin"
# A scheduler whose operations are Python's: of models.so only, for it defines one.
MODEL = Path("engine/model.c")

# No libc, no floating point: a library gives the same bytes on every host of its architecture.
COMMON = (
    *("-O2", "-std=gnu17", "-fPIC", "-ffreestanding", "-mgeneral-regs-only", "-fwrapv"),
    *("-fno-strict-aliasing", "-fno-stack-protector", "-fno-ident"),
)
INCLUDES = ("-I/build/gen", "-I/build/builtin/engine", "-I/build/builtin/shim/include")
# Which of several gcc installations clang would take C++ from is of no interest here, but a warning.
TOOLS = ("-Wno-unknown-warning-option", "-Wno-gcc-install-dir-libstdcxx")
OWN = ("-fno-builtin", "-Wall", "-Wextra", "-Werror", "-Wno-gnu", *TOOLS, *INCLUDES)
# As the tree's Makefile has it, but for the target.
TREE = ("-D__BPF__", "-fms-extensions", "-w", *INCLUDES, "-Iinclude")
LLVM_TEXT = ("-Xclang", "-disable-llvm-passes", "-S", "-emit-llvm")
LINK = (
    *("clang", "-shared", "-nostdlib", "-Wl,-Bsymbolic", "-Wl,-z,defs"),
    *("-Wl,-z,noexecstack", "-Wl,--build-id=none"),
)
# For tests: every function can be called, and undefined behaviour ends the process. A timer's callback
# is called as the kernel calls it, by another type than its own.
CHECKED = ("-fsanitize=undefined", "-fno-sanitize=function", "-fsanitize-trap=undefined")

# Schedulers that compile, but whose decisions are not in what is compiled.
ELSEWHERE = {
    "scx_userland": "its policy is in user space (scx_userland.c), which is not simulated",
}

SCRIPT = """
tar -xf builtin.tar
mkdir -p gen o
mv enums.h gen/
dpkg-deb --fsys-tarfile source.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' >source.tar.xz
top=$(basename "$(dpkg-deb --fsys-tarfile source.deb | tar -t --wildcards './usr/src/*.tar.xz')" .tar.xz)
tar -xJf source.tar.xz "$top/tools/sched_ext"
cd "$top/tools/sched_ext"
clang --version | head -n 1 >/build/out/compiler.txt
sha256sum *.bpf.c *.h include/scx/*.h >/build/out/sources.txt
"""


def foreign_op(btf: Btf, header: str) -> str:
    """Where a kernel's ops are others than those of the shim's vmlinux.h (its text); "" when nowhere.

    The engine calls the ops of the series that it follows, and a scheduler hands them over through
    `(void *)`: a wrong one would be called all the same. So the kernel's type information decides.
    """
    for name in ("sched_ext_ops", "sched_ext_ops_cid"):
        ours = ops_of(header, name)
        theirs = btf.members(name)
        for op in sorted(ours.keys() | theirs.keys()):
            if op not in ours or op not in theirs or ours[op] != theirs[op]:
                return (
                    f"{op} of struct {name} is not in this kernel what it is in Linux 7.2, "
                    "which the simulation follows"
                )
    return ""


def ops_of(header: str, name: str) -> dict[str, int | None]:
    """The members of a struct in the shim's vmlinux.h, as `Btf.members` has them."""
    _, _, rest = header.partition(f"\nstruct {name} {{\n")
    members: dict[str, int | None] = {}
    for line in rest.partition("\n};")[0].splitlines():
        if found := re.search(r"\(\*(\w+)\)\((.*)\);", line):
            members[found[1]] = 0 if found[2] == "void" else found[2].count(",") + 1
        elif found := re.search(r"(\w+)(\[\w+\])?;", line):
            members[found[1]] = None
    return members


def own_objects(sources: Iterable[Path], flags: tuple[str, ...], folder: str) -> list[list[str]]:
    """The commands that compile the engine and the shim (C files below BUILTIN) into a folder."""
    return [
        [
            "clang",
            *COMMON,
            *OWN,
            *flags,
            "-c",
            f"/build/builtin/{at}",
            "-o",
            f"{folder}/{at.stem}.o",
        ]
        for at in sources
    ]


def scheduler_commands(name: str) -> list[list[str]]:
    """The commands that make one scheduler's library; the first that fails ends it.

    Its code goes through LLVM's text form, where divisions are made BPF's (divide.awk). `const volatile`
    settings are in .rodata, which is made writable: libbpf writes them before it loads a program.
    """
    text, guarded, made = (f"/build/o/{name}{end}" for end in (".ll", ".guarded.ll", ".o"))
    return [
        ["clang", *COMMON, *TREE, *LLVM_TEXT, f"{name}.bpf.c", "-o", text],
        ["sh", "-c", f"awk -f /build/builtin/shim/divide.awk {text} >{guarded}"],
        ["clang", "-O2", "-fPIC", "-mgeneral-regs-only", "-c", guarded, "-o", made],
        ["llvm-objcopy", "--set-section-flags", ".rodata=alloc,load,data", made],
        [
            "sh",
            "-c",
            shlex.join([*LINK, "-o", f"/build/out/{name}.so", made]) + " /build/o/own/*.o",
        ],
    ]


def build_script(sources: list[Path], names: list[str]) -> str:
    """The shell script for the build root. `sources` are relative to BUILTIN."""
    lines = [NEWEST_LLVM + SCRIPT, "mkdir -p /build/o/own /build/o/checked /build/o/model"]
    lines += [shlex.join(c) for c in own_objects(sources, ("-fvisibility=hidden",), "/build/o/own")]
    lines += [shlex.join(c) for c in own_objects([*sources, MODEL], CHECKED, "/build/o/checked")]
    lines += [
        shlex.join(c) for c in own_objects([MODEL], ("-fvisibility=hidden",), "/build/o/model")
    ]
    models = shlex.join([*LINK, "-o", "/build/out/models.so"])
    lines.append(f"{models} /build/o/own/*.o /build/o/model/*.o")
    lines.append(shlex.join([*LINK, "-o", "/build/out/checked.so"]) + " /build/o/checked/*.o")
    for name in names:
        steps = " && ".join(shlex.join(command) for command in scheduler_commands(name))
        lines.append(f"{{ {steps}; }} >/build/out/{name}.log 2>&1 || rm -f /build/out/{name}.so")
    return "\n".join(lines)


def reason_of(log: str) -> str:
    """Why a scheduler has no library: the first line of the compiler or linker that says so.

    Raises HarnessError when none does.
    """
    for line in log.splitlines():
        if "error:" in line or "undefined reference" in line:
            return line.removeprefix("/usr/bin/ld: ").strip()
    raise HarnessError(f"the compiler failed without an error: {log.strip()[-300:]!r}")


def record(
    name: str, kernel: str, library: Path, made: dict[str, Any], refused: str
) -> dict[str, Any]:
    """What <scheduler>.json says: how the library was made, or why there is none (`refused`, or the log
    beside the library)."""
    built = library.exists()
    log = library.with_suffix(".log")
    if not built and not refused:
        refused = reason_of(log.read_text(encoding="utf-8", errors="replace"))
    return {
        "scheduler": name,
        "kernel": kernel,
        "outcome": str(Outcome.OK if built else Outcome.UNSUPPORTED),
        "reason": refused,
        "library_sha256": sha256(library) if built else None,
        "argv": scheduler_commands(name),
        **made,
    }


def build_simulators(
    settings: Settings, root: Path, kernel: Path, names: list[str], output: Path
) -> None:
    """Make <scheduler>.so and .json for each name, models.so (the engine and the shim alone) with
    models.json, and checked.so (models.so for tests) in `output`. `kernel` has vmlinux and source.deb.
    """
    files = sorted(f.relative_to(BUILTIN) for f in BUILTIN.rglob("*") if f.suffix in _KINDS)
    sources = [f for f in files if f.suffix == ".c" and f != MODEL]
    btf = read_btf(kernel / "vmlinux")
    header = (BUILTIN / "shim/include/vmlinux.h").read_text(encoding="utf-8")
    refused = dict.fromkeys(names, foreign) if (foreign := foreign_op(btf, header)) else ELSEWHERE
    with work_folder() as work:
        (work / "enums.h").write_text(enums_header(enums_of(btf)), encoding="utf-8")
        with tarfile.open(work / "builtin.tar", "w") as tar:
            for file in files:
                tar.add(BUILTIN / file, f"builtin/{file}")
        inputs = {
            "/build/source.deb": kernel / "source.deb",
            "/build/enums.h": work / "enums.h",
            "/build/builtin.tar": work / "builtin.tar",
        }
        built = [name for name in names if name not in refused]
        enter(settings, root, inputs, build_script(sources, built), work)
        made = {
            "compiler": (work / "out/compiler.txt").read_text(encoding="utf-8").strip(),
            "own_argv": own_objects(sources, ("-fvisibility=hidden",), "/build/o/own"),
            "sources": {
                **_tree_digests(work / "out/sources.txt"),
                **{f"builtin/{file}": sha256(BUILTIN / file) for file in files},
                "enums.h": sha256(work / "enums.h"),
            },
        }
        _keep(work / "out", kernel.name, {n: refused.get(n, "") for n in names}, made, output)


_KINDS = (".c", ".h", ".awk")


def _tree_digests(listing: Path) -> dict[str, str]:
    lines = (line.split(maxsplit=1) for line in listing.read_text(encoding="utf-8").splitlines())
    return {f"tools/sched_ext/{path}": digest for digest, path in lines}


def _keep(
    out: Path, kernel: str, refused: dict[str, str], made: dict[str, Any], output: Path
) -> None:
    """Move what was made in `out` to `output`; `refused` has every scheduler, "" for one that was tried."""
    output.mkdir(parents=True, exist_ok=True)
    names = list(refused)
    for name, reason in refused.items():
        library = out / f"{name}.so"
        found = record(name, kernel, library, _without_others(made, name, names), reason)
        (output / library.name).unlink(missing_ok=True)
        if found["outcome"] == Outcome.OK:
            shutil.move(library, output / library.name)
        write_json(output / f"{name}.json", found)
    for name in ("models", "checked"):
        shutil.move(out / f"{name}.so", output / f"{name}.so")
    digest = sha256(output / "models.so")
    plain = _without_others(made, "models", names)
    write_json(output / "models.json", {"kernel": kernel, "library_sha256": digest, **plain})


def _without_others(made: dict[str, Any], name: str, names: list[str]) -> dict[str, Any]:
    """The record without the sources of other schedulers, which are no part of this library."""
    prefixes = tuple(f"tools/sched_ext/{other}." for other in names if other != name)
    sources = {path: d for path, d in made["sources"].items() if not path.startswith(prefixes)}
    return {**made, "sources": sources}


def main() -> None:
    """Command line of the rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    settings_argument(parser)
    parser.add_argument("--root", type=Path, required=True, help="the build root's tarball")
    parser.add_argument(
        "--kernel", type=Path, required=True, help="folder with vmlinux, source.deb"
    )
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder for the libraries")
    args = parser.parse_args()
    build_simulators(settings_from(args.settings), args.root, args.kernel, args.names, args.output)


if __name__ == "__main__":
    sys.exit(run_step(main))
