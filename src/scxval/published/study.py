# SPDX-License-Identifier: MIT
"""A published study on disk: made, made again from its archive, measured again.

Each runs the workflow itself, in a folder of its own, so that nothing here knows how a table comes about.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from scxval.catalog.config import parse_config
from scxval.catalog.schema import read_yaml, repository
from scxval.errors import HarnessError, ScxvalError
from scxval.files import write_json
from scxval.planning import planned_of_archive
from scxval.published.archive import pack, unpack, verify
from scxval.published.claims import (
    Outcome,
    judge_all,
    line,
    read_claims,
    summary,
    write_claims,
    write_table,
)
from scxval.published.content import KINDS, made, records
from scxval.published.same import Difference, differences
from scxval.published.sums import check_folder, write_sums

ARCHIVE = "runs.tar.xz"
CLAIMS = "claims.json"
CONFIG = "config.yaml"
SCHEMA = 1
# Keys of a configuration that are about the host and no part of a study.
_OF_THE_HOST = (
    "budget",
    "cache",
    "gate",
    "history",
    "provision",
    "published",
    "remeasure",
    "runs",
)
# What of an archive's members the workflow can be asked for by name; all others come with them.
_TARGETS = ("status.json", "events.parquet", "stats.parquet")
# When all that is unpacked was written, some moment long ago. A table that is older than its raw trace would
# be converted again, from a trace that is not there.
_WHEN_NS = 10**18
# Of differences that are shown.
_SHOWN = 20


@dataclass(frozen=True)
class Outcomes:
    """What making or measuring again came to: a line each for a reader, and one over all."""

    passed: bool
    lines: tuple[str, ...]
    summary: str

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})


def publish(results: Path, raw: Mapping[str, Any], output: Path, cores: int) -> str:
    """Make a published study of a folder of results; one line that says what is in it.

    `raw` is the merged configuration. Tables and figures are those that the archive gives, not those of
    `results`. What stood at `output` stays until all is there. Raises ScxvalError without anything to
    publish, HarnessError when the workflow fails.
    """
    planned = planned_of_archive(parse_config(raw, Path.cwd()), results)
    if not planned.plan.cells:
        raise ScxvalError(f"no run of this configuration lies below {results / 'runs'}")
    kept = {key: value for key, value in raw.items() if key not in _OF_THE_HOST}
    check_config(kept, output)
    with tempfile.TemporaryDirectory(prefix="scxval-publish-") as scratch:
        part, work = Path(scratch) / "published", Path(scratch) / "work"
        part.mkdir()
        pack(records(results, planned), part / ARCHIVE)
        (part / CONFIG).write_text(yaml.safe_dump(kept, width=110), encoding="utf-8")
        _make_again(part, work, cores)
        for name, file in made(work / "results").items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, part / name)
        write_claims(work / "results", part / CLAIMS)
        write_sums(part)
        _replace(output, part)
    counts = f"{len(planned.plan.cells)} runs, {len(planned.simulations.cells)} simulations"
    size = sum(f.stat().st_size for f in output.rglob("*") if f.is_file())
    return f"{output}: {counts}, {len(read_claims(output / CLAIMS))} claims, {size} bytes"


def check_config(config: Mapping[str, Any], where: Path) -> None:
    """Raise ScxvalError for a study's configuration that reaches beyond the study and this checkout.

    One that comes from elsewhere must not say where a guest's packages are from, or what runs on this host.
    """
    foreign = sorted(set(config) & set(_OF_THE_HOST))
    if foreign:
        raise ScxvalError(
            f"{where}: refused: {foreign[0]} is for each host to say, and in no study"
        )
    named = config.get("catalog", [])
    for folder in named if isinstance(named, list) else [named]:
        parts = Path(str(folder)).parts
        if parts[:1] != ("config",) or ".." in parts:
            raise ScxvalError(
                f"{where}: refused: catalogue {folder} is not one of the checkout's config/"
            )
    compare = config.get("compare", {})
    if not isinstance(compare, Mapping) or compare.get("against"):
        raise ScxvalError(
            f"{where}: refused: compare.against names results that are not in the study"
        )


def _replace(output: Path, by: Path) -> None:
    """Put a folder in another's place; there is a moment without either, and never one with half of it."""
    beside = output.with_name(f"{output.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(by, beside)
    if output.exists():
        shutil.rmtree(output)
    beside.replace(output)


def rebuild(published: Path, folder: Path, cores: int) -> Outcomes:
    """Make everything that is published again from its archive, in `folder`/work, and compare byte for byte.

    Raises ScxvalError for a study or an archive that must not be used, HarnessError when the workflow fails.
    """
    names = _checked(published)
    work = folder / "work"
    _make_again(published, work, cores)
    write_claims(work / "results", work / CLAIMS)
    old = {n: published / n for n in names if Path(n).suffix in KINDS or n == CLAIMS}
    new = {**made(work / "results"), CLAIMS: work / CLAIMS}
    return same_or_not(old, differences(old, new))


def same_or_not(published: Mapping[str, Path], unlike: Sequence[Difference]) -> Outcomes:
    """What there is to say of tables and figures that were made again."""
    lines = [f"{one.name}: {one.what}" for one in unlike]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"]
    same = len(published) - len({one.name for one in unlike} & set(published))
    total = f"{same} of {len(published)} published tables and figures are the same byte for byte"
    return Outcomes(not unlike, tuple(lines), total)


def remeasure(published: Path, folder: Path, cores: int) -> Outcomes:
    """Run everything that is published anew, in `folder`/work, and judge every claim by it.

    Goes on where an earlier call was interrupted. Guests are those of the resources/ beside the results/ that
    `folder` lies in. Leaves claims.csv in `folder`. Raises as `rebuild`.
    """
    _checked(published)
    claims = read_claims(published / CLAIMS)
    members = verify(published / ARCHIVE)
    work = folder / "work"
    (work / "results").mkdir(parents=True, exist_ok=True)
    resources = folder.parent.parent / "resources"
    resources.mkdir(exist_ok=True)
    _link(work / "resources", resources)
    targets = [f"results/{name}" for name in members if Path(name).name in _TARGETS]
    _sweep(work, published, cores, "measured", targets)
    _sweep(work, published, cores, "archived")
    judged = judge_all(claims, work / "results")
    write_table(judged, folder / "claims.csv")
    failed = [one for one in judged if one.outcome is Outcome.NOT_REPRODUCED]
    return Outcomes(not failed, tuple(line(one) for one in judged), summary(judged))


def _checked(published: Path) -> list[str]:
    """The files of a study that may be used. Raises ScxvalError."""
    names = check_folder(published)
    check_config(read_yaml(published / CONFIG), published / CONFIG)
    return names


def _make_again(published: Path, work: Path, cores: int) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    unpack(published / ARCHIVE, work / "results")
    for file in [work / "results", *(work / "results").rglob("*")]:
        os.utime(file, ns=(_WHEN_NS, _WHEN_NS))
    _sweep(work, published, cores, "archived")


def _sweep(work: Path, published: Path, cores: int, runs: str, targets: Sequence[str] = ()) -> None:
    """The workflow in a folder of its own, with the study's configuration."""
    for name in ("config", "envs"):
        _link(work / name, repository() / name)
    command = [
        *(sys.executable, "-m", "snakemake", *targets),
        *("--snakefile", str(repository() / "workflow/Snakefile")),
        *("--directory", str(work)),
        *("--configfile", str((published / CONFIG).resolve())),
        *("--config", f"runs={runs}"),
        *("--cores", str(cores)),
        # The folder belongs to the workflow that this is a job of, whose own lock guards it.
        "--nolock",
    ]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise HarnessError(
            f"snakemake in {work} ended with {done.returncode}: above is why; mend it and go on with the"
            " same command"
        )


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve())
