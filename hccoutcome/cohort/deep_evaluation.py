"""How a trained network fares on patients that it never saw, and the card that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hccoutcome.cohort.deep_fitting import Fitted, Fitter, Rows, clinical_numbers
from hccoutcome.cohort.deep_operating import on_one_scale
from hccoutcome.cohort.deep_settings import Outcome
from hccoutcome.cohort.training_card import RATES
from hccoutcome.deep.occlusion import Judged, occlusions
from hccoutcome.deep.package import DeepConfig
from hccoutcome.deep.package_making import CITATIONS, TITLES
from hccoutcome.deep.tci_inputs import TciView
from hccoutcome.errors import InputError
from hccoutcome.evaluation.calibration import calibration_line
from hccoutcome.evaluation.classification import agreement, brier
from hccoutcome.evaluation.concordance import harrell
from hccoutcome.evaluation.cox import hazard_ratio
from hccoutcome.evaluation.crossvalidated import cross_validated
from hccoutcome.evaluation.crossvalidation import OutOfFold
from hccoutcome.evaluation.discrimination import auc
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.leaving_out import Occlusion
from hccoutcome.evaluation.operating import threshold_agreement
from hccoutcome.package.card import Card, Figure
from hccoutcome.package.threshold import ClassThreshold
from hccoutcome.survival.outlook import high_risk

TOO_GOOD = 0.99
"""An AUC from here on is taken for a leak until something else is shown."""
Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judging:
    """A trained network with all that it is judged by.

    Attributes:
        fitter: what it was trained with.
        fitted: the network.
        scores: of all patients, as the package gives them.
        test: the patients who had no part in the training.
        crossed: the cross-validation among the others, None without one.
        threshold: of the package, None without one.
    """

    fitter: Fitter
    fitted: Fitted
    scores: Scores
    test: Rows
    crossed: OutOfFold | None
    threshold: ClassThreshold | None

    @property
    def outcome(self) -> Outcome:
        """What became of all patients."""
        return self.fitter.outcome

    @property
    def config(self) -> DeepConfig:
        """The network's configuration."""
        return self.fitted.config


@dataclass(frozen=True, eq=False)
class DeepEvaluation:
    """What was measured.

    Attributes:
        patients: by part: ``"training"``, ``"validation"``, ``"test"``.
        figures: on the test part, by name.
        crossed: by cross-validation among the other patients, by name; empty without one.
        validation: the main figure on the part that told when to stop, which flatters a little.
        flattering: the main figure on the training part itself.
        occlusion: what leaving phases and slices out does, on the test part.
        predictions: one row a patient: name, part, outcome, score; and of a cross-validation the fold and its score.
        notes: what could not be measured or speaks against the figures, one sentence each.
    """

    patients: Mapping[str, int]
    figures: Mapping[str, Estimate]
    crossed: Mapping[str, Estimate]
    validation: Estimate | None
    flattering: Estimate | None
    occlusion: tuple[Occlusion, ...]
    predictions: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def main(self) -> tuple[str, Estimate] | None:
        """Name and value of the figure that counts most; None where nothing could be measured."""
        return next(iter(self.figures.items()), None)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON data."""
        return {
            "patients": dict(self.patients),
            "figures": {name: _estimate_to_json(value) for name, value in self.figures.items()},
            "cross_validation": {name: _estimate_to_json(value) for name, value in self.crossed.items()},
            "on_the_validation_part": _estimate_to_json(self.validation),
            "on_the_training_part": _estimate_to_json(self.flattering),
            "occlusion": [
                {
                    "left_out": row.left_out,
                    "auc": _estimate_to_json(row.auc),
                    "change": None if row.change is None else _estimate_to_json(row.change.difference),
                    "p": None if row.change is None or np.isnan(row.change.p) else row.change.p,
                    "patients": row.patients,
                }
                for row in self.occlusion
            ],
            "notes": list(self.notes),
        }


def _estimate_to_json(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"value": found.value, "lower": found.lower, "upper": found.upper, "method": found.method}


def evaluate(judging: Judging) -> DeepEvaluation:
    """Return how a network fares."""
    notes: list[str] = []
    split = judging.fitted.split
    places = {"training": split.training, "validation": split.validation, "test": judging.test}
    own = {name: _main(judging, rows, name, notes) for name, rows in places.items() if name != "test"}
    survival = judging.config.target == "survival"
    figures = dict(_measured((_of_survival if survival else _of_response)(judging), notes))
    crossed = dict(_measured(_of_folds(judging), notes))
    for name, where in ((figures, "on patients never seen"), (crossed, "in cross-validation")):
        main = next(iter(name.values()), None)
        if main is not None and main.value >= TOO_GOOD:
            notes.append(
                f"A figure of {main.value:.3f} {where} is too good to be believed: look for a leak (one patient under "
                "two names, an outcome that can be read from the images) before anything else."
            )
    return DeepEvaluation(
        patients={name: len(rows) for name, rows in places.items()},
        figures=figures,
        crossed=crossed,
        validation=own["validation"],
        flattering=own["training"],
        occlusion=() if survival else _occlusion(judging, notes),
        predictions=tuple(_predictions(judging, places)),
        notes=tuple(notes),
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


def _of_response(judging: Judging) -> Iterator[tuple[str, Any]]:
    happened, own = judging.outcome.happened[judging.test], judging.scores[judging.test]
    yield "AUC", lambda: auc(happened, own)
    yield "Brier score", lambda: brier(happened, own).score
    yield "calibration slope", lambda: calibration_line(happened, own).slope
    if judging.threshold is not None:
        value = judging.threshold.value
        for name, title in RATES.items():
            yield f"{title} at the threshold", lambda name=name: getattr(agreement(happened, own >= value), name)
    reaches = own >= judging.config.median
    if 0 < reaches.sum() < len(reaches):
        yield "rate where the score reaches the training median", lambda: agreement(happened, reaches).ppv


def _of_survival(judging: Judging) -> Iterator[tuple[str, Any]]:
    y, own = judging.outcome.y(judging.test), judging.scores[judging.test]
    yield "C-index (Harrell)", lambda: harrell(y, own)
    high = own >= judging.config.median
    if 0 < high.sum() < len(high):
        yield "hazard ratio, high against low risk group", lambda: hazard_ratio(y, high).hazard_ratio


def _of_folds(judging: Judging) -> Iterator[tuple[str, Any]]:
    """Yield the figures of the cross-validation, nothing without one."""
    crossed = judging.crossed
    if crossed is None:
        return
    if judging.config.target == "survival":
        yield "C-index (Harrell)", lambda: cross_validated(crossed)
        high = high_risk(crossed.percentiles)
        if 0 < high.sum() < len(high):
            yield (
                "hazard ratio, high against low risk group",
                lambda: hazard_ratio(crossed.y, high).hazard_ratio,
            )
        return
    yield "AUC", lambda: cross_validated(crossed)
    yield "Brier score", lambda: brier(crossed.y, crossed.mean_prediction).score
    places = on_one_scale(crossed)
    for name, title in RATES.items():
        yield (
            f"{title} at thresholds chosen without the fold",
            lambda name=name: getattr(threshold_agreement(places), name),
        )


def _main(judging: Judging, rows: Rows, part: str, notes: list[str]) -> Estimate | None:
    """Return the main figure of one part of the patients."""
    own = judging.scores[rows]
    try:
        if judging.config.target == "survival":
            return harrell(judging.outcome.y(rows), own)
        return auc(judging.outcome.happened[rows], own)
    except InputError as error:
        notes.append(f"The figure of the {part} part could not be measured: {error}")
        return None


def _occlusion(judging: Judging, notes: list[str]) -> tuple[Occlusion, ...]:
    config, seen, test = judging.config, judging.fitter.seen, judging.test
    clinical = clinical_numbers(config, judging.outcome.table.iloc[test])
    cases = Judged(seen.pixels[test], seen.present[test], clinical, judging.outcome.happened[test])
    try:
        offsets = config.view.offsets if isinstance(config.view, TciView) else (0,)
        return occlusions(judging.fitted.model, cases, config.phases, offsets)
    except InputError as error:
        notes.append(str(error))
        return ()


def _predictions(judging: Judging, places: Mapping[str, Rows]) -> Iterator[dict[str, Any]]:
    outcome, crossed = judging.outcome, judging.crossed
    part = {int(row): name for name, rows in places.items() for row in rows}
    folds = {} if crossed is None else {case: place for place, case in enumerate(crossed.cases)}
    for row, name in enumerate(judging.fitter.seen.names):
        time = {} if outcome.time is None else {"months": float(outcome.time[row])}
        found = {"case_id": name, "part": part[row], "outcome": int(outcome.happened[row]), **time}
        found["score"] = float(judging.scores[row])
        if crossed is not None:
            place = folds.get(name)
            found["fold"] = "" if place is None else int(crossed.fold[0, place]) + 1
            found["score_out_of_fold"] = "" if place is None else float(crossed.predictions[0, place])
        yield found


# --- card -----------------------------------------------------------------------------------------------------------


def card_of(fitter: Fitter, fitted: Fitted, found: DeepEvaluation) -> Card:
    """Return the card of a trained network."""
    config, settings, outcome, trained = fitted.config, fitter.settings, fitter.outcome, fitted.trained
    folds = (
        f" In cross-validation ({settings.folds} folds of the {found.patients['training']} + "
        f"{found.patients['validation']} patients) weights, when to stop, normalisation, variables and median were "
        "learned anew in each training part."
        if settings.folds
        else ""
    )
    return Card(
        title=f"{TITLES[config.system]} ({outcome.words})",
        intended_use=(
            f"To give a {'risk' if config.target == 'survival' else 'probability'} of {outcome.words} for patients "
            "like those of the training cohort, for research. No decision on a patient may rest on it."
            if not config.phantoms
            else "To test the software on generated cases. It refuses patients."
        ),
        cohort=_cohort(fitter, found),
        inputs=_inputs(fitter, config),
        figures=tuple(_figures(fitter, found)),
        figures_source=(
            f"Measured by this software on {found.patients['test']} patients who had no part in the training; "
            f"{found.patients['training']} trained, {found.patients['validation']} told when to stop "
            f"(epoch {trained.best + 1} of {len(trained.epochs)} was kept).{folds}"
        ),
        limits=tuple(_limits(fitter, config, found)),
        citation=f"{CITATIONS[config.system]}. Trained anew: nothing of the source's results is claimed.",
    )


def _cohort(fitter: Fitter, found: DeepEvaluation) -> str:
    seen, outcome = fitter.seen, fitter.outcome
    kind = "generated cases" if seen.phantoms else "patients"
    total = sum(found.patients.values())
    parts = [fitter.settings.cohort or "A cohort of the user's own", f"{total} {kind}, {int(outcome.happened.sum())} "
             f"of them with the outcome ({outcome.words})"]  # fmt: skip
    if seen.lost:
        parts.append(f"{len(seen.lost)} more could not be used for their images")
    return ", ".join(parts) + "."


def _inputs(fitter: Fitter, config: DeepConfig) -> str:
    columns = ", ".join(column.name for column in config.columns) or "none"
    start = "ImageNet weights, convolutions frozen" if fitter.settings.weights else "random weights"
    return (
        f"{config.system} of size '{fitter.settings.size}' on the phases {', '.join(config.phases)}; how it looks at a "
        f"case stands in `weights.json`. Clinical variables: {columns}. Started from {start}. Missing variables are "
        "filled in with the training median; grey levels, features and variables are standardised by the training part."
    )


def _figures(fitter: Fitter, found: DeepEvaluation) -> Iterator[Figure]:
    for name, value in found.crossed.items():
        yield _figure(name, value, f"{fitter.settings.folds}-fold cross-validation")
    for name, value in found.figures.items():
        yield _figure(name, value, "patients never seen")
    for row in found.occlusion[1:]:
        yield _figure(f"AUC without {row.left_out}", row.auc, "patients never seen")
    name = "C-index (Harrell)" if fitter.settings.target == "survival" else "AUC"
    if found.validation is not None:
        yield _figure(name, found.validation, "the patients who told when to stop (flatters a little)")
    if found.flattering is not None:
        yield _figure(name, found.flattering, "the training patients themselves (flatters)")


def _figure(name: str, value: Estimate, where: str) -> Figure:
    return Figure(name, f"{value.value:.3f}", f"{value.lower:.3f} to {value.upper:.3f}", where)


def _limits(fitter: Fitter, config: DeepConfig, found: DeepEvaluation) -> Iterator[str]:
    if config.phantoms:
        yield "Trained on generated cases: no number of it says anything about a patient."
    yield from found.notes
    if fitter.settings.folds:
        yield "Trained and measured on one cohort; there is no external validation."
    else:
        yield (
            "Trained and measured on one cohort, one split; there is no external validation, and no cross-validated "
            "figure exists."
        )
    yield "A network sees what it was shown: another scanner, protocol or outline may change its score unnoticed."
