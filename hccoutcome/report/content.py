"""What stands in the report, worked out from the findings: words, rounded numbers, tables and bars. No HTML here."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hccoutcome.clinical.indices import INDICES, composite_index, missing_for_index
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.package.prediction import BASE, Contribution, Prediction
from hccoutcome.package.stability import in_words
from hccoutcome.report.outlook_words import Chance, chances, percent, sentences
from hccoutcome.report.wording import CHECKED, phase_title
from hccoutcome.status import VERDICTS, Status

REGISTRATION = "registration-"
"""How the names of pictures begin that show a registration; the phase follows."""
BAR_WIDTH = 100.0
"""Width of the field of a bar in its own units; zero lies in the middle."""


@dataclass(frozen=True)
class Row:
    """One input of a score as the report shows it; ``left`` and ``width`` place its bar in 0 to ``BAR_WIDTH``.

    ``stability`` says how stable the feature is, empty for what is no feature or where nobody measured any.
    """

    title: str
    value: str
    coefficient: str
    amount: str
    left: float
    width: float
    positive: bool
    stability: str = ""


@dataclass(frozen=True)
class Score:
    """One prediction as the report shows it.

    Attributes:
        prediction: what is shown.
        verdict: whether it may be believed, in words.
        number: the score in print, empty where refused.
        exact: the score with all its digits.
        rows: its inputs.
        has_bars: True where inputs add up, so that bars say something.
    """

    prediction: Prediction
    verdict: str
    number: str
    exact: str
    rows: tuple[Row, ...]
    has_bars: bool

    @property
    def status(self) -> Status:
        """The verdict."""
        return self.prediction.applicability.status

    @property
    def is_stage(self) -> bool:
        """Whether the number only numbers stages: its name is what counts, and inputs ask for stages."""
        return self.prediction.scale == "stage" and bool(self.prediction.label)

    @property
    def in_short(self) -> str:
        """The result in one line: its name, and its number unless the name tells it."""
        label, amount = self.prediction.label, f"{self.number} {self.prediction.scale}"
        if not self.number:
            return "no score"
        if not label:
            return amount
        return label if self.is_stage or amount in label else f"{label} ({amount})"

    @property
    def sentences(self) -> tuple[str, ...]:
        """Where the case stands in the cohort of the package, in words."""
        return () if not self.number else sentences(self.prediction)

    @property
    def has_stability(self) -> bool:
        """Whether the package says how stable its features are."""
        return any(row.stability for row in self.rows)

    @property
    def adds_to(self) -> str:
        """What the amounts of the inputs add up to."""
        return self.prediction.linear_scale


@dataclass(frozen=True)
class Picture:
    """A picture with the words that stand for it."""

    data: bytes
    plane: str
    caption: str
    alternative: str


@dataclass(frozen=True)
class PictureGroup:
    """The pictures of one phase."""

    title: str
    pictures: tuple[Picture, ...]

    @property
    def widths(self) -> list[int]:
        """Width of each picture in pixels; all pixels of a group are of one size in mm."""
        return [png_size(picture.data)[0] for picture in self.pictures]

    @property
    def in_a_row(self) -> bool:
        """Whether the pictures after the first would be too tall one above the other beside it."""
        first, *others = [png_size(picture.data) for picture in self.pictures]
        if not others:
            return False
        stacked = sum(height for _, height in others) / max(width for width, _ in others)
        return stacked > 1.5 * first[1] / first[0]

    @property
    def shares(self) -> list[str]:
        """Width that each picture takes of its column, so that those one above the other keep one scale."""
        widest = max(self.widths[1:], default=1)
        return ["100%", *(f"{100 * width / widest:.4g}%" for width in self.widths[1:])]


def score(prediction: Prediction) -> Score:
    """Return a prediction as the report shows it: a refused one without any number."""
    refused = prediction.score is None or prediction.applicability.status == "refused"
    amounts = [item.amount for item in prediction.contributions if item.amount is not None]
    largest = max((abs(amount) for amount in amounts if math.isfinite(amount)), default=0.0)
    return Score(
        prediction=prediction,
        verdict=VERDICTS[prediction.applicability.status],
        number="" if refused else number(prediction.score),
        exact="" if refused else repr(prediction.score),
        rows=() if refused else tuple(row(item, largest) for item in prediction.contributions),
        has_bars=largest > 0,
    )


def row(item: Contribution, largest: float) -> Row:
    """Return one input with its bar, on a scale on which ``largest`` reaches the edge."""
    amount = item.amount if item.amount is not None and math.isfinite(item.amount) else 0.0
    half = BAR_WIDTH / 2
    width = half * (abs(amount) / largest) if largest else 0.0
    unit = f" {item.unit}" if item.unit else ""
    is_base = item.name == BASE
    return Row(
        title=f"base: mean over {item.value}" if is_base else input_title(item.name),
        value="" if is_base else f"{number(item.value)}{unit}",
        coefficient="" if item.coefficient is None else number(item.coefficient),
        amount="" if item.amount is None else f"{item.amount:+.4g}",
        left=half if amount >= 0 else half - width,
        width=width,
        positive=amount >= 0,
        stability=in_words(item.stability),
    )


def number(value: float | str | None) -> str:
    """Return a number with four significant digits, text as it is."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "not a number"
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.4g}"


def input_title(name: str) -> str:
    """Return what a reader calls an input of a score."""
    if name in VARIABLES:
        return VARIABLES[name].title
    return INDICES[name].title if name in INDICES else name


def clinical_rows(findings: Findings) -> list[tuple[str, str, str]]:
    """Return the clinical record: title, value and unit."""
    return [(input_title(name), clinical_value(name, value), unit(name)) for name, value in findings.clinical.items()]


def clinical_value(name: str, value: float | str) -> str:
    """Return a clinical value in words: yes or no for a binary variable."""
    if name in VARIABLES and VARIABLES[name].kind == "binary" and not isinstance(value, str):
        return "yes" if value else "no"
    return number(value)


def unit(name: str) -> str:
    """Return the unit of a clinical variable, empty where it has none."""
    return VARIABLES[name].unit if name in VARIABLES else ""


def index_rows(findings: Findings) -> list[tuple[str, str, str]]:
    """Return the composite indices that the record allows: title, value and formula."""
    possible = [name for name in INDICES if name not in findings.clinical]
    possible = [name for name in possible if not missing_for_index(name, findings.clinical)]
    return [(INDICES[name].title, _index(name, findings), INDICES[name].formula) for name in possible]


def _index(name: str, findings: Findings) -> str:
    try:
        return number(composite_index(name, findings.clinical))
    except InputError as error:
        return f"cannot be computed: {error}"


def used_features(findings: Findings) -> dict[str, list[str]]:
    """Return the features that entered scores, each with the titles of those scores."""
    used: dict[str, list[str]] = {}
    for prediction in (*findings.predictions, *findings.liver_scores):
        for item in prediction.contributions:
            if item.name in findings.features:
                used.setdefault(item.name, []).append(prediction.title)
    return used


def picture_groups(pictures: Mapping[str, bytes], findings: Findings) -> list[PictureGroup]:
    """Return the pictures by phase; those without a phase come last, each on its own."""
    groups: dict[str, list[Picture]] = {}
    for name, data in pictures.items():
        if name.startswith(REGISTRATION):
            continue
        phase, _, plane = name.rpartition("-")
        title = phase_title(phase) if phase else "Surfaces"
        groups.setdefault(title, []).append(_picture(title, plane if phase else "", data, findings))
    return [PictureGroup(title, tuple(group)) for title, group in groups.items()]


def waterfalls(findings: Findings, figures: Mapping[str, bytes]) -> list[Picture]:
    """Return, for each score that is the sum of its inputs, the figure (SVG) of what they add.

    Args:
        findings: what was found out.
        figures: SVG data by name, as ``outlook_figures.outlook_figures`` gives them.
    """
    return [
        Picture(
            data=figures[f"{prediction.package}-waterfall"],
            plane="",
            caption=f"{prediction.title}: what each input adds, from the base at the bottom to the score at the top",
            alternative=f"{_synthetic(findings)}Waterfall of {prediction.title}; its numbers stand in the table of "
            "that score.",
        )
        for prediction in findings.predictions
        if f"{prediction.package}-waterfall" in figures
    ]


def outlook_pictures(findings: Findings, figures: Mapping[str, bytes]) -> dict[str, list[Picture]]:
    """Return by package the figures (SVG) of where the case stands in its cohort: survival, then inputs."""
    words = {
        "survival": (
            "Risk groups of the training cohort, and survival for patients with the score of this case",
            "Survival curves of {title}; their numbers stand in the sentences of that score.",
        ),
        "inputs": (
            "The case's values among those of the training cohort",
            "Inputs of {title} in its training cohort; their places stand in the figure's labels.",
        ),
    }
    return {
        prediction.package: [
            Picture(
                data=figures[f"{prediction.package}-{kind}"],
                plane="",
                caption=caption,
                alternative=_synthetic(findings) + alternative.format(title=prediction.title),
            )
            for kind, (caption, alternative) in words.items()
            if f"{prediction.package}-{kind}" in figures
        ]
        for prediction in findings.predictions
    }


def _synthetic(findings: Findings) -> str:
    return "Synthetic data. " if findings.synthetic else ""


@dataclass(frozen=True)
class Comparison:
    """The predictions side by side: the months at which survival is told, and a row for each.

    A row is the score as shown with survival at each of the months, empty where it tells none.
    """

    months: tuple[int, ...]
    rows: tuple[tuple[Score, tuple[str, ...]], ...]


def comparison(findings: Findings) -> Comparison:
    """Return the predictions side by side."""
    told = [
        {} if item.outlook is None or item.outlook.survival is None else _told(chances(item.outlook.survival))
        for item in findings.predictions
    ]
    months = tuple(sorted({month for known in told for month in known}))
    rows = [
        (score(item), tuple(known.get(month, "") for month in months))
        for item, known in zip(findings.predictions, told, strict=True)
    ]
    return Comparison(months, tuple(rows))


def _told(found: Sequence[Chance]) -> dict[int, str]:
    return {
        chance.month: f"{percent(chance.survival)} ({percent(chance.lower)} to {percent(chance.upper)})"
        for chance in found
    }


def registration_pictures(pictures: Mapping[str, bytes]) -> list[Picture]:
    """Return the pictures that show how phases were registered, one a phase."""
    found = [
        (name.removeprefix(REGISTRATION), data) for name, data in pictures.items() if name.startswith(REGISTRATION)
    ]
    return [
        Picture(
            data,
            "",
            f"{phase_title(phase)}: in turns with the phase that it was registered to, as scanned and as registered",
            f"Checkerboards of the {phase_title(phase).lower()} and the phase that it was registered to.",
        )
        for phase, data in found
    ]


def png_size(data: bytes) -> tuple[int, int]:
    """Return width and height of PNG data in pixels."""
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _picture(title: str, plane: str, data: bytes, findings: Findings) -> Picture:
    synthetic = _synthetic(findings)
    if plane:
        text = f"{synthetic}{title}: {plane} slice with the outlines of the regions in their colours."
        return Picture(data, plane, f"{title}, {plane}", text)
    text = f"{synthetic}Surfaces of the regions seen from the front, the liver transparent."
    return Picture(data, "", "Surfaces of the regions, seen from the front; the liver is transparent", text)


def citations(findings: Findings) -> list[str]:
    """Return the papers behind the results, each once, in order of appearance."""
    predictions = (*findings.predictions, *findings.liver_scores)
    return list(dict.fromkeys(item.citation for item in predictions if item.citation))


def worst_first(findings: Findings) -> list[tuple[Any, str]]:
    """Return the quality items with their verdict in words: refusals, then warnings, then the rest."""
    order: Sequence[Status] = ("refused", "warning", "ok")
    return [(item, CHECKED[item.status]) for status in order for item in findings.quality if item.status == status]


def provenance_rows(findings: Findings) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the provenance as short entries (name, text) and as long ones (name, JSON text)."""
    short, long = [], []
    for name, value in findings.provenance.items():
        if isinstance(value, str | int | float):
            short.append((name.capitalize(), str(value)))
        elif isinstance(value, Mapping) and all(_is_brief(item) for item in value.values()):
            short.append((name.capitalize(), ", ".join(f"{key} {item}" for key, item in value.items())))
        else:
            long.append((name.capitalize(), json.dumps(value, indent=2, ensure_ascii=False)))
    return short, long


def _is_brief(value: Any) -> bool:
    """Say whether a value of the provenance fits into a line with others; a hash does not."""
    return isinstance(value, str | int | float) and len(str(value)) <= 32


def count(status: Status, items: Iterable[Any]) -> int:
    """Return how many items have a status."""
    return sum(item.status == status for item in items)
