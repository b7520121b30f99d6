# SPDX-License-Identifier: MIT
"""The page's first section: each family's verdict, each pair's, and all that they are made of.

Arranges what `scxval.report.compare_load` read as text for verdicts.html.j2. Nothing is judged here.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from scxval.compare.record import Group
from scxval.compare.verdict import Verdict
from scxval.report.alignment import COLUMNS, Alignments, alignments
from scxval.report.cell import File, file_link
from scxval.report.compare_load import Asked, Control, Distance, Family, Judged, load_families
from scxval.report.effect import picture
from scxval.report.text import Scale, count_text, number_text, p_text, plural, scale_for, visible

STYLE = {
    Verdict.AGREE: "ok",
    Verdict.DISAGREE: "failed",
    Verdict.INCONCLUSIVE: "lossy",
    Verdict.NOT_MEASURED: "blank",
    Verdict.UNSUPPORTED: "excluded",
}
CONTROL_STYLE = {True: ("passed", "ok"), False: ("failed", "failed"), None: ("not run", "blank")}
QUESTIONS = {
    "simulator": "a simulator and the kernel",
    "tracer_none": "a tracer and none",
    "tracer": "two tracers",
    "isolation": "two isolations",
    "machine": "two machines",
    "version": "two versions",
}
# Pictures of a divergence that are in the page; what is larger, or too much together, is a link.
MOST_PICTURE_BYTES = 128 * 1024
MOST_PICTURES_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Marked:
    """A word with the style class that colours it."""

    words: str
    style: str


@dataclass(frozen=True)
class QuantityView:
    """One quantity of a pair as text; `drawn` is its interval against its margin, as SVG."""

    name: str
    task: str
    unit: str
    a: str
    b: str
    within: str
    effect: str
    drawn: Markup
    verdict: Marked
    p: tuple[str, str, str]
    reason: str


@dataclass(frozen=True)
class DistanceView:
    """How far two distributions lie apart, as text in the order of the table's columns."""

    metric: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class RunView:
    """One run of a side: whether it counts, and what of its events was compared with nothing."""

    side: str
    path: str
    outcome: str
    why: str
    removed: str


@dataclass(frozen=True)
class PairView:
    """One pair, ready for the template; `divergence` is the picture as a data address, or ""."""

    record: Judged
    anchor: str
    verdict: Marked
    where: str
    runs: str
    controls: list[tuple[Marked, Control]]
    quantities: list[QuantityView]
    distances: list[DistanceView]
    aligned: Alignments
    group_runs: list[RunView]
    divergence: str
    files: list[File]
    problem: str


@dataclass(frozen=True)
class FamilyView:
    """One family: `pairs` have something to unfold, `bare` only a verdict and its reason."""

    record: Family
    anchor: str
    question: str
    verdict: Marked
    counts: list[Marked]
    controls: list[tuple[Marked, Control]]
    pairs: list[PairView]
    bare: list[PairView]
    files: list[File]


@dataclass(frozen=True)
class VerdictSection:
    """What the page shows; `margins` has each quantity's margin, its families and its reason, once."""

    families: list[FamilyView]
    margins: list[tuple[str, str, str, str]]
    left_over: list[str]
    columns: tuple[str, ...] = COLUMNS


class Pictures:
    """The divergences' pictures, as long as there is room in the page."""

    def __init__(self, room_bytes: int = MOST_PICTURES_BYTES) -> None:
        self.room_bytes = room_bytes

    def address(self, path: Path) -> tuple[str, str]:
        """The SVG as a data address, and what is wrong with it; both "" if it is not there or too large.

        As an image it runs no script and its style stays its own.
        """
        try:
            size = path.stat().st_size
            if size > min(MOST_PICTURE_BYTES, self.room_bytes):
                return "", ""
            content = path.read_bytes()
            if not ElementTree.fromstring(content).tag.endswith("svg"):
                raise ElementTree.ParseError("no svg element")
        except FileNotFoundError:
            return "", ""
        except (OSError, ElementTree.ParseError, ValueError) as error:
            return "", f"{path.name} cannot be read: {str(error)[:100]}"
        self.room_bytes -= size
        return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}", ""


def section(
    root: Path | None, page_folder: Path, families: Sequence[str] | None = None
) -> VerdictSection:
    """Read what is below `root` (results/compare) and arrange it; links are relative to `page_folder`.

    `families` are those of the plan, if it says, there or not; others are only named.
    """
    found = load_families(root, families or ()) if root else []
    shown = [family for family in found if families is None or family.name in families]
    pictures = Pictures()
    return VerdictSection(
        families=[_family(family, page_folder, pictures) for family in shown],
        margins=_margins(shown),
        left_over=[family.name for family in found if family not in shown],
    )


def _family(family: Family, page_folder: Path, pictures: Pictures) -> FamilyView:
    pairs = [_pair(pair, page_folder, pictures) for pair in family.pairs]
    counts = Counter(pair.verdict for pair in family.pairs)
    voids = sum(bool(pair.void) for pair in family.pairs)
    words = [Marked(f"{counts[v]} {_plain(v)}", style) for v, style in STYLE.items() if counts[v]]
    names = ("verdicts.json", "verdicts.csv", "verdicts.parquet")
    return FamilyView(
        record=family,
        anchor=visible(f"verdicts:{family.name}"),
        question=QUESTIONS.get(family.name, family.name),
        verdict=_verdict(family.verdict),
        counts=words + ([Marked(f"{voids} void", "void")] if voids else []),
        controls=[_control(control) for control in family.controls],
        pairs=[pair for pair in pairs if _unfolds(pair)],
        bare=[pair for pair in pairs if not _unfolds(pair)],
        files=_files([family.folder / name for name in names], page_folder),
    )


def _unfolds(pair: PairView) -> bool:
    return bool(pair.quantities or pair.distances or pair.record.alignments)


def _verdict(verdict: Verdict | None) -> Marked:
    if verdict is None:
        return Marked("not judged", "blank")
    return Marked(_plain(verdict), STYLE[verdict])


def _plain(verdict: Verdict) -> str:
    return verdict.replace("_", " ")


def _control(control: Control) -> tuple[Marked, Control]:
    return Marked(*CONTROL_STYLE[control.passed]), control


def _pair(pair: Judged, page_folder: Path, pictures: Pictures) -> PairView:
    divergence, problem = pictures.address(pair.folder / "divergence.svg")
    names = ("pair.json", "alignment.parquet", "divergence.svg")
    return PairView(
        record=pair,
        anchor=visible(f"pair:{pair.family}/{pair.path}"),
        verdict=_verdict(pair.verdict),
        where=", ".join(f"{axis} {value}" for axis, value in pair.where.items()),
        runs=" and ".join(_used(group) for group in (pair.a, pair.b)),
        controls=[_control(control) for control in pair.controls],
        quantities=[_quantity(asked) for asked in pair.quantities],
        distances=[_distance(distance) for distance in pair.distances],
        aligned=alignments(pair.alignments),
        group_runs=[*_runs("A", pair.a), *_runs("B", pair.b)],
        divergence=divergence,
        files=_files([pair.folder / name for name in names], page_folder),
        problem=problem,
    )


def _used(group: Group) -> str:
    """`5`, or `4 of 5` where not every run of a side counts, with what makes one enough."""
    used, planned = sum(run.used for run in group.runs), len(group.runs)
    words = count_text(used) if used == planned else f"{used} of {planned}"
    return f"{words} (deterministic)" if group.deterministic else words


def _files(paths: Sequence[Path], page_folder: Path) -> list[File]:
    return [file_link(path, path.name, page_folder) for path in paths if path.is_file()]


def _quantity(asked: Asked) -> QuantityView:
    means = [mean for mean in (asked.mean_a, asked.mean_b) if mean is not None]
    scale = scale_for(means, asked.unit)
    within, drawn = "", Markup("")
    if asked.agree_low is not None and asked.agree_high is not None:
        region = (asked.agree_low, asked.agree_high)
        within = " to ".join(scale.show(end) for end in region)
        if asked.effect is not None and asked.mean_a is not None:
            drawn = picture(asked.effect, asked.mean_a, region)
    verdict = _verdict(asked.verdict) if asked.carries else Marked("not judged", "blank")
    return QuantityView(
        name=f"{asked.metric} {asked.stat}".strip() or asked.name,
        task=asked.task,
        unit=scale.unit,
        a=_side(asked.mean_a, asked.sd_a, len(asked.a), scale),
        b=_side(asked.mean_b, asked.sd_b, len(asked.b), scale),
        within=within,
        effect=_effect(asked, scale),
        drawn=drawn,
        verdict=verdict,
        p=(p_text(asked.p_agree), p_text(asked.p_disagree), p_text(asked.q)),
        reason="; ".join(part for part in (_reason(asked), *_asides(asked, scale)) if part),
    )


def _side(mean: float | None, sd: float | None, runs: int, scale: Scale) -> str:
    """`1.02 ± 0.01 (5)`: mean, standard deviation over runs, and how many."""
    if mean is None:
        return "not measured" if not runs else f"({runs})"
    spread = "" if sd is None else f" ± {scale.show(sd)}"
    return f"{scale.show(mean)}{spread} ({runs})"


def _effect(asked: Asked, scale: Scale) -> str:
    effect = asked.effect
    if effect is None or effect.estimate is None:
        return ""
    say = (lambda value: number_text(value, 3)) if effect.ratio else scale.show
    sign = "\u00d7 " if effect.ratio else ""
    said = f"{sign}{say(effect.estimate)}"
    if effect.low is not None and effect.high is not None:
        said += f" ({say(effect.low)} to {say(effect.high)})"
    return said


def _reason(asked: Asked) -> str:
    return (asked.reason if asked.carries else asked.why_not).rstrip(".")


def _asides(asked: Asked, scale: Scale) -> Iterator[str]:
    """What chance alone makes, and which distorted copies of A this quantity told from A."""
    if asked.floor is not None:
        yield f"chance alone makes {scale.show(asked.floor)} {scale.unit}".rstrip()
    tried = [name for name, told in asked.rejected.items() if told is not None]
    if tried:
        told = [name for name in tried if asked.rejected[name]]
        yield f"copies told from A: {', '.join(told) or f'none of {len(tried)}'}"


def _distance(distance: Distance) -> DistanceView:
    values = [v for v in (distance.wasserstein, distance.low, distance.high, distance.floor) if v]
    scale = scale_for(values, distance.unit)
    apart = "" if distance.wasserstein is None else scale.show(distance.wasserstein)
    if distance.low is not None and distance.high is not None:
        apart += f" ({scale.show(distance.low)} to {scale.show(distance.high)})"
    return DistanceView(
        distance.metric,
        (
            _samples(distance.samples_a),
            _samples(distance.samples_b),
            "" if distance.ks is None else f"{distance.ks:.3f}",
            f"{apart} {scale.unit}" if apart else "",
            "" if distance.floor is None else f"{scale.show(distance.floor)} {scale.unit}",
            p_text(distance.p),
            p_text(distance.q),
        ),
    )


def _samples(counts: Sequence[float]) -> str:
    """`3 runs, 120\u2013340 each`."""
    if not counts:
        return "none"
    low, high = round(min(counts)), round(max(counts))
    each = count_text(low) if low == high else f"{count_text(low)}\u2013{count_text(high)}"
    return f"{plural(len(counts), 'run')}, {each} each"


def _runs(side: str, group: Group) -> list[RunView]:
    return [
        RunView(
            side,
            run.path,
            run.outcome,
            run.why,
            ", ".join(f"{count_text(rows)} {name}" for name, rows in run.removed.items() if rows),
        )
        for run in group.runs
    ]


def _margins(families: Sequence[Family]) -> list[tuple[str, str, str, str]]:
    """Quantity, margin, its reason, and the families that judge by it."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for family in families:
        for pair in family.pairs:
            for asked in pair.quantities:
                margin = asked.margin
                words = (
                    f"{margin.ratio:.3g}, {number_text(margin.absolute, 3)} {asked.unit}".strip()
                )
                key = (f"{asked.metric} {asked.stat}", words, margin.reason)
                found.setdefault(key, {})[family.name] = None
    return [(*key, ", ".join(names)) for key, names in found.items()]
