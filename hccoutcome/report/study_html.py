"""The report of a study: one HTML file that needs nothing else and names no patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.figures.style import p_text
from hccoutcome.evaluation.study import Study, SurvivalFigures
from hccoutcome.report.html import load_template
from hccoutcome.report.study_checklist import facts_of
from hccoutcome.report.study_numbers import estimates_of
from hccoutcome.report.study_words import WAYS, counted, verdict
from hccoutcome.version import __version__

TEMPLATE = "study.html"
TITLES = {
    "verdict": "Summary",
    "figures": "Performance",
    "patients": "Patients",
    "discrimination": "Discrimination",
    "calibration": "Calibration",
    "classes": "Classes and risk groups",
    "utility": "Clinical utility",
    "subgroups": "Subgroups",
    "adjusted": "Covariates and matching",
    "models": "What the models use",
    "leaks": "Test for leaks",
    "packages": "Packages",
    "methods": "Methods",
    "checklist": "TRIPOD+AI",
    "provenance": "Provenance",
}
WORDS = {
    "auc": "AUC",
    "auc_of_finished_predictions": "AUC of the finished predictions",
    "auc_apparent": "AUC on the patients learned from (flatters)",
    "auc_less_optimism": "AUC less the optimism (bootstrap)",
    "brier_less_optimism": "Brier score less the optimism (bootstrap)",
    "c_index": "C-index (Harrell)",
    "c_index_of_finished_predictions": "C-index of the finished predictions",
    "c_index_apparent": "C-index on the patients learned from (flatters)",
    "c_index_less_optimism": "C-index less the optimism (bootstrap)",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "accuracy": "Accuracy",
    "f1": "F1",
    "brier": "Brier score",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
    "uno_c": "C-index (Uno)",
    "auc_mean_over_time": "AUC, mean over time",
    "integrated_brier": "Integrated Brier score",
    "hazard_ratio": "Hazard ratio, high against low risk",
    "observed_over_expected": "Observed over expected events",
}
"""What a reader calls each figure, in the order of the report."""
_WIDE = ("forest", "selection", "correlations", "cox", "flow", "beeswarm")
_MOST_GAPS = 30


@dataclass(frozen=True)
class Plot:
    """A figure as the report shows it.

    Attributes:
        name: of its files.
        section: of the report.
        caption: the words under it.
        svg: the figure.
    """

    name: str
    section: str
    caption: str
    svg: bytes

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width."""
        return self.name.startswith(_WIDE)


def render_study(study: Study, plots: Sequence[Plot]) -> str:
    """Return the report of a study as the text of one HTML file."""
    by_section = {section: [plot for plot in plots if plot.section == section] for section in TITLES}
    cox_rows, balance_rows = list(_cox_rows(study)), list(_balance_rows(study))
    there = {
        "adjusted": bool(cox_rows or balance_rows),
        "leaks": bool(by_section["leaks"]),
        "packages": bool(study.applied),
    }
    gaps = [row for row in study.missing if row[3]]
    return load_template(TEMPLATE).render(
        study=study,
        version=__version__,
        titles=TITLES,
        sections=[section for section in TITLES if there.get(section, True)],
        figures=by_section,
        verdict=verdict(study),
        follow_up="" if study.follow_up is None else str(study.follow_up),
        labels=[item.label for item in study.figures],
        performance=list(_performance(study)),
        figures_note=_figures_note(study),
        groups=[str(name) for name in study.characteristics.columns[3:]],
        characteristics=study.characteristics.to_numpy().tolist(),
        missing=gaps[:_MOST_GAPS],
        more_missing=f", the first {_MOST_GAPS} of {len(gaps)} columns" if len(gaps) > _MOST_GAPS else "",
        comparisons=list(_comparisons(study)),
        groups_table=list(_groups(study)),
        followed_rows=list(_followed(study)),
        occlusion_rows=list(_occlusion(study)),
        subgroup_rows=list(_subgroups(study)),
        cox_rows=cox_rows,
        balance_rows=balance_rows,
        adjusted_words=list(_adjusted(study)),
        ways=WAYS,
        methods=_methods(study),
        facts=facts_of(study),
        provenance=_provenance(study),
    )


def shown(estimate: Estimate | None, digits: int = 3) -> str:
    """Return a figure with its interval, a dash where there is none."""
    if estimate is None:
        return "–"
    return f"{estimate.value:.{digits}f} ({estimate.lower:.{digits}f} to {estimate.upper:.{digits}f})"


def _performance(study: Study) -> Iterator[list[str]]:
    """Yield the table of all figures, a row each and a column for each system."""
    yield ["How", *(WAYS[given.way] for given in study.predicted)]
    yield ["Patients (with the outcome)", *(f"{item.patients} ({item.events})" for item in study.figures)]
    found = [estimates_of(item) for item in study.figures]
    for name, words in WORDS.items():
        if any(name in figures for figures in found):
            yield [words, *(shown(figures.get(name)) for figures in found)]


def _figures_note(study: Study) -> str:
    return (
        f"The first {study.figure} of a cross-validated system compares patients inside folds, and its interval counts "
        "how much the folds share; all other figures are of the finished predictions and take the models as fixed, so "
        "their intervals are narrower than they should be. The method of every interval stands in figures.csv."
    )


def _comparisons(study: Study) -> Iterator[list[str]]:
    for pair in study.versus:
        for of, test in (("systems, same folds", pair.systems), ("finished predictions", pair.predictions)):
            if test is not None:
                names = f"{pair.first} – {pair.second}"
                p = p_text(test.p).replace(" ", "\u00a0")
                yield [names, str(pair.patients), of, shown(test.difference), p, test.test]


def _groups(study: Study) -> Iterator[list[str]]:
    for item in study.figures:
        if isinstance(item, SurvivalFigures):
            for curve in item.groups:
                yield [item.label, curve.name, str(curve.patients), str(int(curve.events.sum())), str(curve.median)]


def _followed(study: Study) -> Iterator[list[str]]:
    for item in study.followed:
        ratio = shown(None if item.ratio is None else item.ratio.hazard_ratio, 2)
        p = "–" if item.log_rank is None else p_text(item.log_rank.p).replace(" ", "\u00a0")
        for curve in item.groups:
            counts = [str(curve.patients), str(int(curve.events.sum())), str(curve.median)]
            first = curve is item.groups[0]
            yield [item.label, item.endpoint, curve.name, *counts, *((ratio, p) if first else ("", ""))]


def _occlusion(study: Study) -> Iterator[list[str]]:
    for label, rows in study.occlusion.items():
        for row in rows:
            change = ["", ""] if row.change is None else [shown(row.change.difference), p_text(row.change.p)]
            yield [label, row.left_out, str(row.patients), shown(row.auc), *change]


def _subgroups(study: Study) -> Iterator[list[str]]:
    for row in study.subgroups:
        counts = [str(row.patients), str(row.events)]
        yield [row.variable, row.level, row.label, *counts, shown(row.figure, 2)]


def _cox_rows(study: Study) -> Iterator[list[str]]:
    if study.multivariable is None:
        return
    found = study.multivariable
    hazards = dict(zip(found.hazards.names, found.hazards.p, strict=True))
    for term in found.model.terms:
        yield [
            "with everything",
            term.name,
            shown(term.hazard_ratio, 2),
            p_text(term.p),
            p_text(hazards.get(term.name)),
        ]
    if found.nested is not None:
        for term in found.nested.without.terms:
            yield [f"without {found.added}", term.name, shown(term.hazard_ratio, 2), p_text(term.p), ""]


def _balance_rows(study: Study) -> Iterator[list[str]]:
    if study.matched is None:
        return
    for row in study.matched.balance:
        means = [f"{mean:.3g}" for mean in (row.treated, row.control, row.matched_treated, row.matched_control)]
        yield [row.name, *means, *("–" if part is None else f"{part:.2f}" for part in (row.before, row.after))]


def _adjusted(study: Study) -> Iterator[str]:
    if study.multivariable is not None:
        found = study.multivariable
        yield (
            f"Cox regression of {found.patients} patients with complete values ({found.dropped} left out); test of "
            f"proportional hazards of all terms: {p_text(found.hazards.global_p)}."
        )
        if found.nested is not None:
            yield (
                f"'{found.added}' changes the model by a likelihood ratio of {found.nested.chi_square:.2f} on "
                f"{counted(found.nested.df, 'degree')} of freedom, {p_text(found.nested.p)}."
            )
    if study.matched is not None:
        yield from _matched(study, study.matched.figures)


def _matched(study: Study, figures: Mapping[str, Estimate]) -> Iterator[str]:
    found = study.matched
    if found is None:
        return
    yield (
        f"Matching by the propensity of '{found.treatment}' leaves {found.pairs} pairs of {found.treated} treated and "
        f"{found.control} others."
    )
    parts = ", ".join(f"{label} {shown(estimate, 2)}" for label, estimate in figures.items())
    if parts:
        yield f"{study.figure} of the finished predictions among the matched: {parts}."
    if found.before is not None and found.after is not None:
        ratios = [shown(term.hazard_ratio, 2) for term in (found.before, found.after)]
        yield f"Hazard ratio of '{found.treatment}': {ratios[0]} before matching, {ratios[1]} among the matched."
    if found.rates:
        yield f"Responders among the matched: {shown(found.rates[1], 2)} treated, {shown(found.rates[0], 2)} others."


def _methods(study: Study) -> list[str]:
    settings = study.settings
    found = []
    if any(given.way == "cross-validated" for given in study.predicted):
        found.append(
            f"Cross-validation: {settings['folds']} folds stratified by the outcome, "
            f"{counted(settings['repeats'], 'repeat')}; imputation, scaling, selection, tuning and thresholds are "
            "learned in each training part alone."
        )
        if study.task == "survival":
            found.append(
                f"Survival probabilities: Cox's model of the risk, learned in each training part from the risks of its "
                f"patients left out by {settings['survival_folds']} inner folds."
            )
    if study.times:
        found.append(
            f"AUC and Brier score over time at {len(study.times)} times from {study.times[0]:.3g} to "
            f"{study.times[-1]:.3g} months, with censoring weights of the evaluated patients."
        )
    return found


def _provenance(study: Study) -> list[tuple[str, str]]:
    settings = ", ".join(
        f"{name} {_setting(value)}" for name, value in study.settings.items() if value not in ("", [], None)
    )
    software = ", ".join(f"{name} {version}" for name, version in study.software.items())
    return [("Settings", settings), ("Software", software)]


def _setting(value: Any) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)
