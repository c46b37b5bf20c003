"""A case placed in the cohort of a package: risk group and survival, class, its inputs among those of the cohort."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hccoutcome.package.applicability import PackageInputs, plan, values_for
from hccoutcome.package.format import Package
from hccoutcome.package.outlook import InputPlace, Outlook, SurvivalOutlook
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.prognosis import Prognosis


def outlook_of(prediction: Prediction, package: Package, inputs: PackageInputs) -> Outlook | None:
    """Return where a case stands in a package's cohort; None where there is no score, or nothing is known of a cohort.

    Args:
        prediction: what the package said of the case.
        package: the package.
        inputs: what is known of the case.
    """
    prognosis, reference, threshold = package.prognosis, package.reference, package.threshold
    if prediction.score is None or (prognosis is None and reference is None and threshold is None):
        return None
    survival = None if prognosis is None else _survival(prognosis, prediction.score)
    if reference is not None:
        return Outlook(reference.cohort, reference.cases, survival, tuple(_places(package, inputs)), threshold)
    cases = prognosis.low.cases + prognosis.high.cases if prognosis is not None else 0
    return Outlook("training cohort", threshold.patients if threshold else cases, survival, threshold=threshold)


def _survival(prognosis: Prognosis, score: float) -> SurvivalOutlook:
    survival, lower, upper = (tuple(map(float, np.asarray(curve))) for curve in prognosis.curve.survival(score))
    return SurvivalOutlook(
        endpoint=prognosis.endpoint,
        months=prognosis.months,
        cut=prognosis.cut,
        group=prognosis.group(score),
        low=prognosis.low,
        high=prognosis.high,
        survival=survival,
        lower=lower,
        upper=upper,
        source=prognosis.source,
    )


def _places(package: Package, inputs: PackageInputs) -> Iterator[InputPlace]:
    """Yield the place of each clinical number and feature that the reference tells the distribution of."""
    if package.reference is None:
        return
    values, columns = values_for(package, inputs), plan(package, inputs.phases).columns
    units = {need.name: need.unit for need in package.requirements.variables}
    for name, cohort in {**package.reference.variables, **package.reference.features}.items():
        value = values.get(name)
        if not isinstance(value, str):
            number = None if value is None else float(value)
            yield InputPlace(columns.get(name, name), number, units.get(name, ""), cohort)
