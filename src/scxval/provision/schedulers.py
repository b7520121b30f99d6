# SPDX-License-Identifier: MIT
"""Builds sched_ext schedulers inside the build root: from the kernel's tree, and from crates.

The build root's own compiler, clang and cargo are used, never the host's. The tree's Makefile is used
as it is: built by hand, without its flags, scx_qmap is refused by the verifier.
"""

from __future__ import annotations

import argparse
import fcntl
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scxval.errors import run_step
from scxval.files import sha256
from scxval.provision.lock import check_lock, format_lock
from scxval.provision.mmdebstrap import enter, work_folder
from scxval.provision.settings import (
    Settings,
    ca_bundle_path,
    settings_argument,
    settings_from,
)

# Only what tools/sched_ext and the bpftool and libbpf that it builds need.
TREE_PARTS = ("tools", "scripts", "include", "kernel/sched", "kernel/bpf")

# Debian's versioned LLVM has its tools under their plain names in a folder of its own.
NEWEST_LLVM = """
llvm=$(ls -d /usr/lib/llvm-* | sort -V | tail -n 1)
export PATH="$llvm/bin:$PATH" LIBCLANG_PATH="$llvm/lib"
"""

TREE_BUILD = """
dpkg-deb --fsys-tarfile source.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' >source.tar.xz
top=$(basename "$(dpkg-deb --fsys-tarfile source.deb | tar -t --wildcards './usr/src/*.tar.xz')" .tar.xz)
tar -xJf source.tar.xz {parts}
cd "$top"
cd tools/sched_ext
make -j"$(nproc)" VMLINUX_BTF=/build/vmlinux {targets}
cd build/bin
cp {targets} /build/out/
"""

CRATE_BUILD = """
export HOME=/build CARGO_HOME=/build/shared/cargo CARGO_TARGET_DIR=/build/shared/target
{environment}
cargo install --locked --root /build/out --version '={version}' {crate}
cp /build/shared/cargo/registry/cache/*/{crate}-{version}.crate /build/out/{crate}.crate
# Sources are unpacked again from the registry's cache in a moment.
rm -rf /build/shared/cargo/registry/src
"""


def build_tree(
    settings: Settings, root: Path, kernel: Path, names: list[str], output: Path
) -> None:
    """Build schedulers of the kernel's tools/sched_ext, for the BTF of the guest's own kernel."""
    parts = " ".join(f'"$top/{part}"' for part in TREE_PARTS)
    script = NEWEST_LLVM + TREE_BUILD.format(parts=parts, targets=" ".join(names))
    inputs = {
        "/build/source.deb": kernel / "source.deb",
        "/build/vmlinux": kernel / "vmlinux",
    }
    with work_folder() as work:
        enter(settings, root, inputs, script, work)
        output.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.move(work / "out" / name, output / name)


def build_crate(
    settings: Settings,
    root: Path,
    crate: tuple[str, str],
    output: Path,
    locks: tuple[Path, Path],
    shared: Path,
) -> None:
    """Build one crate (name, version) with its own Cargo.lock; `locks` are (written, committed).

    `shared` is the tarball with what cargo has fetched and compiled so far: most of a scheduler's build
    is libraries that all of them use. Cargo itself decides what of it still holds.
    """
    name, version = crate
    environment = _cargo_environment(settings)
    script = NEWEST_LLVM + CRATE_BUILD.format(crate=name, version=version, environment=environment)
    # What cargo needs to reach its registry from inside the root.
    inputs = {"/etc/resolv.conf": Path("/etc/resolv.conf")}
    bundle = ca_bundle_path(settings)
    if bundle is not None:
        inputs["/build/ca.crt"] = bundle
    with work_folder() as work, alone(shared):
        enter(settings, root, inputs, script, work, shared)
        out = work / "out"
        lock = format_lock([(name, version, sha256(out / f"{name}.crate"))], "crate")
        check_lock(lock, locks[1], settings.lock)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(out / "bin" / name, output)
        locks[0].write_text(lock, encoding="utf-8")


@contextmanager
def alone(shared: Path) -> Iterator[None]:
    """Wait until no other build uses the shared tarball."""
    shared.parent.mkdir(parents=True, exist_ok=True)
    with shared.with_name(f"{shared.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cargo_environment(settings: Settings) -> str:
    lines = []
    if settings.ca_bundle:
        lines.append("export SSL_CERT_FILE=/build/ca.crt CARGO_HTTP_CAINFO=/build/ca.crt")
    if settings.proxy:
        proxy = shlex.quote(settings.proxy)
        lines.append(f"export http_proxy={proxy} https_proxy={proxy}")
    return "\n".join(lines)


def main() -> None:
    """Command line of the scheduler rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    settings_argument(parser)
    parser.add_argument("--root", type=Path, required=True, help="the build root's tarball")
    sub = parser.add_subparsers(dest="source", required=True)
    tree = sub.add_parser("tree")
    tree.add_argument("--kernel", type=Path, required=True, help="folder with vmlinux, source.deb")
    tree.add_argument("--names", nargs="+", required=True)
    tree.add_argument("--output", type=Path, required=True, help="folder for the binaries")
    crate = sub.add_parser("crate")
    crate.add_argument("--name", required=True)
    crate.add_argument("--crate-version", required=True)
    crate.add_argument("--output", type=Path, required=True, help="the binary")
    crate.add_argument("--used", type=Path, required=True, help="the lock to write")
    crate.add_argument("--lock", type=Path, required=True, help="the committed lock")
    crate.add_argument("--shared", type=Path, required=True, help="tarball of shared build state")
    args = parser.parse_args()
    settings = settings_from(args.settings)
    if args.source == "tree":
        build_tree(settings, args.root, args.kernel, args.names, args.output)
    else:
        build_crate(
            settings,
            args.root,
            (args.name, args.crate_version),
            args.output,
            (args.used, args.lock),
            args.shared,
        )


if __name__ == "__main__":
    sys.exit(run_step(main))
