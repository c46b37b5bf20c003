"""How a trained network fares on patients that it never saw, and the card that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hccoutcome.clinical.endpoints import SURVIVAL_TYPE
from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.occlusion import Judged, occlusions
from hccoutcome.deep.package import DeepConfig
from hccoutcome.deep.package_making import CITATIONS, TITLES
from hccoutcome.deep.samples import Split
from hccoutcome.deep.tci_inputs import TciView
from hccoutcome.errors import InputError
from hccoutcome.evaluation.calibration import calibration_line
from hccoutcome.evaluation.classification import agreement, brier, choose_threshold
from hccoutcome.evaluation.concordance import harrell
from hccoutcome.evaluation.cox import hazard_ratio
from hccoutcome.evaluation.discrimination import auc
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.leaving_out import Occlusion
from hccoutcome.package.card import Card, Figure

if TYPE_CHECKING:
    from hccoutcome.cohort.deep_cases import SeenCases
    from hccoutcome.cohort.deep_training import DeepTrainSettings, Outcome
    from hccoutcome.deep.training import Trained

TOO_GOOD = 0.99
"""An AUC from here on is taken for a leak until something else is shown."""


@dataclass(frozen=True, eq=False)
class DeepEvaluation:
    """What was measured.

    Attributes:
        patients: by part: ``"training"``, ``"validation"``, ``"test"``.
        figures: on the test part, by name.
        flattering: the main figure on the training part itself.
        occlusion: what leaving phases and slices out does, on the test part.
        predictions: one row a patient: name, part, outcome, score.
        notes: what could not be measured or speaks against the figures, one sentence each.
    """

    patients: Mapping[str, int]
    figures: Mapping[str, Estimate]
    flattering: Estimate | None
    occlusion: tuple[Occlusion, ...]
    predictions: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    @property
    def main(self) -> tuple[str, Estimate] | None:
        """Name and value of the figure that counts most; None where nothing could be measured."""
        return next(iter(self.figures.items()), None)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON data."""
        return {
            "patients": dict(self.patients),
            "figures": {name: _estimate_to_json(value) for name, value in self.figures.items()},
            "on_the_training_part": None if self.flattering is None else _estimate_to_json(self.flattering),
            "occlusion": [
                {
                    "left_out": row.left_out,
                    "auc": _estimate_to_json(row.auc),
                    "change": None if row.change is None else row.change.difference.value,
                    "p": None if row.change is None or np.isnan(row.change.p) else row.change.p,
                    "patients": row.patients,
                }
                for row in self.occlusion
            ],
            "notes": list(self.notes),
        }


def _estimate_to_json(found: Estimate) -> dict[str, Any]:
    return {"value": found.value, "lower": found.lower, "upper": found.upper, "method": found.method}


def evaluate(
    config: DeepConfig,
    outcome: Outcome,
    scores: NDArray[np.float64],
    split: Split,
    test: NDArray[np.intp],
    seen: SeenCases,
    model: DeepModel,
    clinical: NDArray[np.float32],
) -> DeepEvaluation:
    """Return how a network fares.

    Args:
        config: of the network, its median from the training part.
        outcome: of all patients.
        scores: of all patients, as the package gives them.
        split: training and validation part.
        test: the patients that the network never saw.
        seen: planes of all patients.
        model: in evaluation.
        clinical: variables of all patients.
    """
    notes: list[str] = []
    measure = _of_survival if config.target == "survival" else _of_response
    figures = dict(_measured(measure(config, outcome, scores, split, test), notes))
    flattering = _flattering(config, outcome, scores, split.training, notes)
    left_out: tuple[Occlusion, ...] = ()
    if config.target != "survival":
        offsets = config.view.offsets if isinstance(config.view, TciView) else (0,)
        cases = Judged(seen.pixels[test], seen.present[test], clinical[test], outcome.happened[test])
        try:
            left_out = occlusions(model, cases, config.phases, offsets)
        except InputError as error:
            notes.append(str(error))
    main = next(iter(figures.values()), None)
    if main is not None and main.value >= TOO_GOOD:
        notes.append(
            f"A figure of {main.value:.3f} on patients never seen is too good to be believed: look for a leak (one "
            "patient under two names, an outcome that can be read from the images) before anything else."
        )
    places = {"training": split.training, "validation": split.validation, "test": test}
    return DeepEvaluation(
        {name: len(rows) for name, rows in places.items()},
        figures,
        flattering,
        left_out,
        tuple(_predictions(seen.names, places, outcome, scores)),
        tuple(notes),
    )


def _measured(found: Iterator[tuple[str, Any]], notes: list[str]) -> Iterator[tuple[str, Estimate]]:
    """Yield the figures that can be had; of the others, keep why not."""
    for name, compute in found:
        try:
            value = compute()
        except InputError as error:
            notes.append(f"{name} could not be measured: {error}")
            continue
        if value is not None:
            yield name, value


def _of_response(
    config: DeepConfig, outcome: Outcome, scores: NDArray[np.float64], split: Split, test: NDArray[np.intp]
) -> Iterator[tuple[str, Any]]:
    happened, own = outcome.happened[test], scores[test]
    yield "AUC", lambda: auc(happened, own)
    yield "Brier score", lambda: brier(happened, own).score
    yield "calibration slope", lambda: calibration_line(happened, own).slope
    threshold = choose_threshold(outcome.happened[split.training], scores[split.training]).value
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        yield (
            f"{name} at the training part's Youden threshold",
            lambda name=name: getattr(agreement(happened, own >= threshold), name),
        )
    reaches = own >= config.median
    if 0 < reaches.sum() < len(reaches):
        yield "rate where the score reaches the training median", lambda: agreement(happened, reaches).ppv


def _of_survival(
    config: DeepConfig, outcome: Outcome, scores: NDArray[np.float64], split: Split, test: NDArray[np.intp]
) -> Iterator[tuple[str, Any]]:
    del split
    y, own = _structured(outcome, test), scores[test]
    yield "C-index (Harrell)", lambda: harrell(y, own)
    high = own >= config.median
    if 0 < high.sum() < len(high):
        yield "hazard ratio, high against low risk group", lambda: hazard_ratio(y, high).hazard_ratio


def _flattering(
    config: DeepConfig, outcome: Outcome, scores: NDArray[np.float64], rows: NDArray[np.intp], notes: list[str]
) -> Estimate | None:
    try:
        if config.target == "survival":
            return harrell(_structured(outcome, rows), scores[rows])
        return auc(outcome.happened[rows], scores[rows])
    except InputError as error:
        notes.append(f"The figure of the training part could not be measured: {error}")
        return None


def _structured(outcome: Outcome, rows: NDArray[np.intp]) -> NDArray[np.void]:
    found = np.empty(len(rows), SURVIVAL_TYPE)
    found["event"] = outcome.happened[rows]
    found["time"] = np.nan if outcome.time is None else outcome.time[rows]
    return found


def _predictions(
    names: tuple[str, ...], places: Mapping[str, NDArray[np.intp]], outcome: Outcome, scores: NDArray[np.float64]
) -> Iterator[dict[str, Any]]:
    part = {int(row): name for name, rows in places.items() for row in rows}
    for row, name in enumerate(names):
        time = {} if outcome.time is None else {"months": float(outcome.time[row])}
        happened = int(outcome.happened[row])
        yield {"case_id": name, "part": part[row], "outcome": happened, **time, "score": float(scores[row])}


# --- card -----------------------------------------------------------------------------------------------------------


def card_of(
    config: DeepConfig,
    outcome: Outcome,
    found: DeepEvaluation,
    trained: Trained,
    settings: DeepTrainSettings,
    seen: SeenCases,
) -> Card:
    """Return the card of a trained network."""
    title = TITLES[config.system]
    return Card(
        title=f"{title} ({outcome.words})",
        intended_use=(
            f"To give a {'risk' if config.target == 'survival' else 'probability'} of {outcome.words} for patients "
            "like those of the training cohort, for research. No decision on a patient may rest on it."
            if not config.phantoms
            else "To test the software on generated cases. It refuses patients."
        ),
        cohort=_cohort(outcome, found, settings, seen),
        inputs=_inputs(config, settings),
        figures=tuple(_figures(found)),
        figures_source=(
            f"Measured by this software on {found.patients['test']} patients who had no part in the training; "
            f"{found.patients['training']} trained, {found.patients['validation']} told when to stop "
            f"(epoch {trained.best + 1} of {len(trained.epochs)} was kept)."
        ),
        limits=tuple(_limits(config, found)),
        citation=f"{CITATIONS[config.system]}. Trained anew: nothing of the source's results is claimed.",
    )


def _cohort(outcome: Outcome, found: DeepEvaluation, settings: DeepTrainSettings, seen: SeenCases) -> str:
    kind = "generated cases" if seen.phantoms else "patients"
    total = sum(found.patients.values())
    parts = [settings.cohort or "A cohort of the user's own", f"{total} {kind}, {int(outcome.happened.sum())} of them "
             f"with the outcome ({outcome.words})"]  # fmt: skip
    if seen.lost:
        parts.append(f"{len(seen.lost)} more could not be used for their images")
    return ", ".join(parts) + "."


def _inputs(config: DeepConfig, settings: DeepTrainSettings) -> str:
    columns = ", ".join(column.name for column in config.columns) or "none"
    start = "ImageNet weights, convolutions frozen" if settings.weights else "random weights"
    return (
        f"{config.system} of size '{settings.size}' on the phases {', '.join(config.phases)}; how it looks at a case "
        f"stands in `weights.json`. Clinical variables: {columns}. Started from {start}. Missing variables are filled "
        "in with the training median; grey levels, features and variables are standardised by the training part."
    )


def _figures(found: DeepEvaluation) -> Iterator[Figure]:
    for name, value in found.figures.items():
        yield _figure(name, value, "patients never seen")
    for row in found.occlusion[1:]:
        yield _figure(f"AUC without {row.left_out}", row.auc, "patients never seen")
    if found.flattering is not None and found.main is not None:
        yield _figure(found.main[0], found.flattering, "the training patients themselves (flatters)")


def _figure(name: str, value: Estimate, where: str) -> Figure:
    return Figure(name, f"{value.value:.3f}", f"{value.lower:.3f} to {value.upper:.3f}", where)


def _limits(config: DeepConfig, found: DeepEvaluation) -> Iterator[str]:
    if config.phantoms:
        yield "Trained on generated cases: no number of it says anything about a patient."
    yield from found.notes
    yield "Trained and measured on one cohort, one split; there is no external validation."
    yield "A network sees what it was shown: another scanner, protocol or outline may change its score unnoticed."
