"""What a study of several systems on the same patients found, as plain data: nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from numpy.typing import NDArray

from hccoutcome.clinical.endpoints import ONE_YEAR
from hccoutcome.evaluation.calibration import CalibrationCurve, CalibrationLine, SurvivalCalibration
from hccoutcome.evaluation.classification import Brier, Classification
from hccoutcome.evaluation.cox import CoxModel, CoxTerm, HazardCheck, NestedModels
from hccoutcome.evaluation.crossvalidation import OutOfFold
from hccoutcome.evaluation.decision import DecisionCurves
from hccoutcome.evaluation.discrimination import RocBand, RocCurve
from hccoutcome.evaluation.estimate import Bools, Comparison, Estimate, Floats
from hccoutcome.evaluation.leaks import LeakCheck
from hccoutcome.evaluation.leaving_out import Occlusion
from hccoutcome.evaluation.matching import Balance
from hccoutcome.evaluation.resampling import Validation
from hccoutcome.evaluation.subgroups import Forest
from hccoutcome.evaluation.survival import KaplanMeier, LogRank, Median
from hccoutcome.evaluation.timedependent import TimeDependentAuc, TimeDependentBrier

Task = Literal["response", "survival"]
RESPONDERS, SURVIVORS = ("responder", "non-responder"), ("survivor", "dead within a year")
Way = Literal["cross-validated", "external", "apparent"]
"""How predictions came about: by models that never saw the patient; by a finished package; by a package that learned
from these very patients, which says nothing about others."""


def classes_of(endpoint: str) -> tuple[str, str]:
    """Return what a patient with the outcome of a response is called, and one without."""
    return SURVIVORS if endpoint == ONE_YEAR else RESPONDERS


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one system said about the patients of a study.

    Attributes:
        label: what figures and tables call it.
        title: what it is, in words.
        way: how the predictions came about.
        baseline: whether it is there only to be compared with.
        known: patients for whom there is a prediction, shape (patients,).
        prediction: probability of response, or risk, shape (patients,); NaN where there is none.
        place: the same on one scale for all patients: of a cross-validated risk its place among the training risks.
        probability: whether ``prediction`` is a probability.
        positive: predicted responder, or high risk, by thresholds of the training data; None without a threshold.
        threshold: where the threshold comes from, in words; empty without one.
        low_risk: of a predicted response, who belongs to the group that should live longer, by another rule than
            ``positive``; None where that rule holds.
        risk_rule: that other rule in words, empty without one.
        survival: probability of surviving each time of the study, shape (patients, times); None where there is none.
        found: the cross-validation, None for a package.
        system, modality: what was trained; empty for a package.
        method, citation: how it was built and where it was published.
        notes: what speaks against the figures, one sentence each.
    """

    label: str
    title: str
    way: Way
    baseline: bool
    known: Bools
    prediction: Floats
    place: Floats
    probability: bool
    positive: Bools | None
    threshold: str
    low_risk: Bools | None = None
    risk_rule: str = ""
    survival: Floats | None = None
    found: OutOfFold | None = None
    system: str = ""
    modality: str = ""
    method: str = ""
    citation: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Figures:
    """What was measured of one system, whatever it predicts; what could not be measured is None and in ``notes``.

    Attributes:
        label: of the system.
        patients, events: evaluated, and those with the outcome among them.
        main: AUC or Harrell's C: compared inside folds where cross-validated, of the finished predictions otherwise.
        finished: AUC (DeLong) or C of the finished predictions, whose interval takes the models as fixed.
        apparent: the same of a model on the patients that it learned from; None for packages.
        bootstrap: internal validation by figure, empty where none was asked for.
        leaks: what the system finds where there is nothing, None where it was not asked for.
        notes: what could not be measured and why, one sentence each.
    """

    label: str
    patients: int
    events: int
    main: Estimate
    finished: Estimate
    apparent: Estimate | None = None
    bootstrap: Mapping[str, Validation] = field(default_factory=dict)
    leaks: LeakCheck | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ResponseFigures(Figures):
    """What was measured of one system that predicts a response.

    Attributes:
        roc, band: ROC curve of the finished predictions.
        classes: predicted against actual classes.
        brier, line, curve: of probabilities.
    """

    roc: RocCurve = field(kw_only=True)
    band: RocBand = field(kw_only=True)
    classes: Classification | None = None
    brier: Brier | None = None
    line: CalibrationLine | None = None
    curve: CalibrationCurve | None = None


@dataclass(frozen=True, eq=False)
class SurvivalFigures(Figures):
    """What was measured of one system that predicts survival.

    Attributes:
        uno: Uno's C of the places.
        auc, brier: over time.
        calibration: at the study's horizon.
        groups: Kaplan-Meier curves of low and high risk.
        log_rank, ratio, hazards: test, hazard ratio and check of proportional hazards of the two groups.
        forest: hazard ratio in subgroups.
    """

    uno: Estimate | None = None
    auc: TimeDependentAuc | None = None
    brier: TimeDependentBrier | None = None
    calibration: SurvivalCalibration | None = None
    groups: tuple[KaplanMeier, ...] = ()
    log_rank: LogRank | None = None
    ratio: CoxTerm | None = None
    hazards: HazardCheck | None = None
    forest: Forest | None = None


@dataclass(frozen=True)
class Versus:
    """Two systems compared on the patients for whom both have a prediction.

    Attributes:
        first, second: labels.
        figure: ``AUC`` or ``C-index``.
        patients: compared.
        systems: comparison inside the same folds, None where neither was cross-validated.
        predictions: of the finished predictions, which takes the models as fixed.
    """

    first: str
    second: str
    figure: str
    patients: int
    systems: Comparison | None
    predictions: Comparison


@dataclass(frozen=True)
class Left:
    """Patients who leave at one step, and why."""

    patients: int
    reason: str


@dataclass(frozen=True)
class Step:
    """One step of the patients' way through a study.

    Attributes:
        what: who is here, in words.
        patients: how many.
        left: who does not go on from here; of a branch, who does not get to it.
        branch: whether this is one of several ways that begin at the last step that is none.
    """

    what: str
    patients: int
    left: tuple[Left, ...] = ()
    branch: bool = False


@dataclass(frozen=True)
class Applied:
    """What became of the patients to whom a package was applied.

    Attributes:
        label: of the package.
        version, sha256: of the package.
        endpoint: what it says that it predicts.
        scored, doubtful, refused: patients with a score, those of them with a doubt, and those without a score.
        learned: patients left out because the package learned from their images; in none of the other numbers.
        reasons: (status, sentence with its numbers masked, patients), the most frequent first.
        unchecked: what a table does not tell and was therefore not checked.
    """

    label: str
    version: str
    sha256: str
    endpoint: str
    scored: int
    doubtful: int
    refused: int
    reasons: tuple[tuple[str, str, int], ...]
    unchecked: tuple[str, ...]
    learned: int = 0


@dataclass(frozen=True)
class SubgroupFigure:
    """AUC or C of the finished predictions of one system in a subgroup; None where it has none."""

    label: str
    variable: str
    level: str
    patients: int
    events: int
    figure: Estimate | None


@dataclass(frozen=True, eq=False)
class Followed:
    """How patients fared later, by what a system predicted of their response; what could not be measured is None.

    Attributes:
        label: of the system.
        name, endpoint: ``"os"``, and in words.
        rule: who is at low risk, in words.
        patients, events: with a prediction whose further course is known.
        groups: Kaplan-Meier curves of low and high risk.
        log_rank, ratio: test and hazard ratio of the two groups.
        notes: what could not be measured and why, one sentence each.
    """

    label: str
    name: str
    endpoint: str
    rule: str
    patients: int
    events: int
    groups: tuple[KaplanMeier, ...]
    log_rank: LogRank | None
    ratio: CoxTerm | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """What is left of a study among patients matched by propensity.

    Attributes:
        treatment: name of the column.
        treated, control: patients before matching.
        pairs: matched pairs.
        balance: of each covariate.
        figures: AUC or C of the finished predictions among the matched, by label.
        before, after: hazard ratio of treatment (survival), before and after; None for a response.
        curves: Kaplan-Meier curves of the matched treatment groups, empty for a response.
        log_rank: their test.
        rates: response rates of control and treated among the matched, empty for survival.
    """

    treatment: str
    treated: int
    control: int
    pairs: int
    balance: tuple[Balance, ...]
    figures: Mapping[str, Estimate]
    before: CoxTerm | None = None
    after: CoxTerm | None = None
    curves: tuple[KaplanMeier, ...] = ()
    log_rank: LogRank | None = None
    rates: tuple[Estimate | None, ...] = ()


@dataclass(frozen=True)
class Multivariable:
    """Cox model of the risk group beside covariates.

    Attributes:
        model: with everything.
        nested: without and with the column ``added``; None where none was asked for.
        added: the column, empty where none was asked for.
        hazards: check of proportional hazards.
        patients: with complete values.
        dropped: patients without.
    """

    model: CoxModel
    nested: NestedModels | None
    added: str
    hazards: HazardCheck
    patients: int
    dropped: int


@dataclass(frozen=True, eq=False)
class Study:
    """A study of one or several systems on the same patients.

    Attributes:
        task: what is predicted.
        endpoint: in words.
        cases: names of the evaluated patients; they stand in ``predictions.csv`` alone.
        y: their outcome.
        predicted: what the systems said, the first is the study's own.
        figures: what was measured, in the same order.
        versus: comparisons.
        decision: decision curves of the patients for whom all have a probability; None where there are none.
        months: horizon of calibration and decision curves, None for a response.
        times: months at which AUC and Brier score were measured, empty for a response.
        follow_up: median follow-up, None for a response.
        flow: the patients' way.
        applied: what became of patients under packages.
        characteristics: one row a variable or level, overall and by outcome.
        missing: ``(column, kind, known, missing)``.
        subgroups: figures in subgroups.
        correlations: numeric columns for the correlation matrix.
        multivariable: Cox model with covariates, None where none was asked for.
        matched: propensity matching, None where none was asked for.
        settings: what it takes to do the same again.
        sources: SHA256 of every file read, by its name.
        software: versions.
        doubts: about the table, one sentence each; none names a patient.
        notes: what was asked for and could not be measured, one sentence each.
        followed: of a response, how the predicted groups fared later, where the table tells it.
        occlusion: what leaving out phases and slices does to a network, by its label.
    """

    task: Task
    endpoint: str
    cases: tuple[str, ...]
    y: NDArray[Any]
    predicted: tuple[Predicted, ...]
    figures: tuple[ResponseFigures | SurvivalFigures, ...]
    versus: tuple[Versus, ...]
    decision: DecisionCurves | None
    months: float | None
    times: tuple[float, ...]
    follow_up: Median | None
    flow: tuple[Step, ...]
    applied: tuple[Applied, ...]
    characteristics: pd.DataFrame
    missing: tuple[tuple[str, str, int, int], ...]
    subgroups: tuple[SubgroupFigure, ...]
    correlations: pd.DataFrame
    multivariable: Multivariable | None
    matched: Matched | None
    settings: Mapping[str, Any]
    sources: Mapping[str, str]
    software: Mapping[str, str]
    doubts: tuple[str, ...]
    notes: tuple[str, ...] = ()
    followed: tuple[Followed, ...] = ()
    occlusion: Mapping[str, tuple[Occlusion, ...]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, str]:
        """What a patient with the outcome of a response is called, and one without."""
        return classes_of(self.settings["endpoint"])

    @property
    def figure(self) -> str:
        """Name of the main figure."""
        return "AUC" if self.task == "response" else "C-index"

    @property
    def events(self) -> int:
        """Patients with the outcome."""
        return int(self.y.sum()) if self.task == "response" else int(self.y["event"].sum())
