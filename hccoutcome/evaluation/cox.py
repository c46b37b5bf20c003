"""Cox regression for tables and comparisons: hazard ratios with intervals, nested models, proportional hazards.

lifelines fits the models (ties after Efron, as R does); no penalty, no selection: these are the tables of a paper, not
its predictors.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from numpy.typing import ArrayLike
from scipy import stats
from scipy.linalg import LinAlgWarning
from sksurv.nonparametric import kaplan_meier_estimator

from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.concordance import harrell
from hccoutcome.evaluation.estimate import Estimate, Floats
from hccoutcome.evaluation.outcomes import Survival, check_groups, check_survival

WALD = "Wald, log scale"
_TIME, _EVENT = " time", " event"
"""Columns beside the covariates; the leading space keeps them apart from names in a table."""
_PRECISION = 1e-10
"""lifelines' own default stops at hazard ratios that differ from R's in the fifth digit."""


@dataclass(frozen=True)
class CoxTerm:
    """One covariate of a Cox model.

    Attributes:
        name: column, or ``column: level`` against the column's first level.
        coefficient, error: log hazard ratio and its standard error.
        hazard_ratio: for one unit more.
        p: of Wald's test.
    """

    name: str
    coefficient: float
    error: float
    hazard_ratio: Estimate
    p: float


@dataclass(frozen=True)
class CoxModel:
    """A fitted Cox model.

    Attributes:
        terms: covariates in the order of the table.
        patients, events: on which it was fitted.
        concordance: Harrell's C on the same patients, which flatters.
        log_likelihood: partial, at the fit.
        chi_square, df, p: likelihood ratio test against no covariate.
    """

    terms: tuple[CoxTerm, ...]
    patients: int
    events: int
    concordance: Estimate
    log_likelihood: float
    chi_square: float
    df: int
    p: float

    def term(self, name: str) -> CoxTerm:
        """Return a covariate by its name.

        Raises:
            InputError: there is none of that name.
        """
        for term in self.terms:
            if term.name == name:
                return term
        raise InputError(f"The Cox model has no term '{name}', found {', '.join(term.name for term in self.terms)}.")


@dataclass(frozen=True)
class NestedModels:
    """A Cox model with and without some covariates, on the same patients.

    Attributes:
        without, complete: the models.
        chi_square, df, p: likelihood ratio test of the added covariates.
    """

    without: CoxModel
    complete: CoxModel
    chi_square: float
    df: int
    p: float


@dataclass(frozen=True)
class HazardCheck:
    """Test of proportional hazards by scaled Schoenfeld residuals (Grambsch and Therneau, Biometrika 1994;81:515).

    Attributes:
        names: of the terms.
        chi_square, p: of each term, one degree of freedom each.
        global_chi_square, global_df, global_p: of all terms together.
    """

    names: tuple[str, ...]
    chi_square: tuple[float, ...]
    p: tuple[float, ...]
    global_chi_square: float
    global_df: int
    global_p: float


def cox(y: Any, covariates: pd.DataFrame, level: float = 0.95) -> CoxModel:
    """Fit a Cox model.

    Args:
        y: structured array (event, time).
        covariates: a row for each patient; numbers, or text for categories, whose first level (in order) is the
            reference.
        level: confidence level.

    Raises:
        InputError: missing values, a column without variation, no event, or coefficients that do not converge.
    """
    outcome = check_survival(y)
    coded = _coded(covariates, outcome)
    fitted = _fit(outcome, coded, level)
    table = fitted.summary
    terms = tuple(
        CoxTerm(
            name=str(name),
            coefficient=float(row["coef"]),
            error=float(row["se(coef)"]),
            hazard_ratio=Estimate(float(row["exp(coef)"]), *_limits(row, level), level, WALD),
            p=float(row["p"]),
        )
        for name, row in table.iterrows()
    )
    ratio = fitted.log_likelihood_ratio_test()
    return CoxModel(
        terms=terms,
        patients=len(coded),
        events=int(outcome.event.sum()),
        concordance=harrell(y, fitted.predict_log_partial_hazard(coded).to_numpy(), level),
        log_likelihood=float(fitted.log_likelihood_),
        chi_square=float(ratio.test_statistic),
        df=len(terms),
        p=float(ratio.p_value),
    )


def hazard_ratio(y: Any, exposed: ArrayLike, level: float = 0.95) -> CoxTerm:
    """Return the hazard ratio of two groups, ``exposed`` (1) against the others (0).

    Raises:
        InputError: as ``cox``, or other than two groups coded 0 and 1.
    """
    outcome = check_survival(y)
    groups = check_groups(exposed, len(outcome.time))
    if set(np.unique(groups).tolist()) != {0, 1}:
        raise InputError(
            f"A hazard ratio compares patients coded 1 with patients coded 0, found {np.unique(groups).tolist()[:5]}: "
            "code the groups."
        )
    return cox(y, pd.DataFrame({"exposed": groups.astype(float)}), level).terms[0]


def univariate_cox(y: Any, covariates: pd.DataFrame, level: float = 0.95) -> dict[str, CoxModel]:
    """Return a Cox model of each column alone, by column.

    Raises:
        InputError: as ``cox``, with the column named.
    """
    return {str(name): cox(y, covariates[[name]], level) for name in covariates.columns}


def with_and_without(y: Any, covariates: pd.DataFrame, added: list[str], level: float = 0.95) -> NestedModels:
    """Fit a Cox model without and with the columns ``added``, on the same patients, and test what they add.

    Raises:
        InputError: as ``cox``, or columns that are not there, or nothing left without them.
    """
    missing = [name for name in added if name not in covariates.columns]
    rest = [name for name in covariates.columns if name not in added]
    if missing or not rest or not added:
        raise InputError(
            f"Models are compared with and without some of the columns {list(covariates.columns)}, found {added}: name "
            "at least one and leave at least one."
        )
    without, complete = cox(y, covariates[rest], level), cox(y, covariates, level)
    chi_square = 2 * (complete.log_likelihood - without.log_likelihood)
    df = len(complete.terms) - len(without.terms)
    return NestedModels(without, complete, chi_square, df, float(stats.chi2.sf(chi_square, df)))


def check_proportional_hazards(y: Any, covariates: pd.DataFrame, time_transform: str = "km") -> HazardCheck:
    """Test whether the hazard ratios of a Cox model stay the same over time.

    Args:
        y, covariates: as in ``cox``.
        time_transform: ``km`` (as R does), ``rank``, ``identity`` or ``log``.

    Raises:
        InputError: as ``cox``.
    """
    outcome = check_survival(y)
    coded = _coded(covariates, outcome)
    order = np.lexsort((~outcome.event, outcome.time))
    outcome, coded = Survival(outcome.event[order], outcome.time[order]), coded.iloc[order].reset_index(drop=True)
    fitted = _fit(outcome, coded, 0.95)
    residuals = fitted.compute_residuals(_joined(outcome, coded), kind="schoenfeld")
    deaths = len(residuals)
    clock = _clock(outcome, time_transform)
    spread = float((clock - clock.mean()) @ (clock - clock.mean())) / deaths
    slope = (clock - clock.mean()) @ residuals.to_numpy()
    variance = fitted.variance_matrix_.to_numpy()
    # Of each term: (variance @ slope)^2 deaths^2 / (deaths variance_kk spread), as in R's cox.zph before version 3.
    chi_square = (variance @ slope) ** 2 / (np.diag(variance) * spread) if spread > 0 else np.zeros(len(slope))
    together = float(slope @ variance @ slope / spread) if spread > 0 else 0.0
    return HazardCheck(
        names=tuple(map(str, fitted.params_.index)),
        chi_square=tuple(map(float, chi_square)),
        p=tuple(float(stats.chi2.sf(value, 1)) for value in chi_square),
        global_chi_square=together,
        global_df=len(slope),
        global_p=float(stats.chi2.sf(together, len(slope))),
    )


def encode(covariates: pd.DataFrame) -> pd.DataFrame:
    """Return numbers for every column: of a category, one column a level (``column: level``) but the first.

    Raises:
        InputError: a value is missing, or a column does not vary.
    """
    parts = []
    for name in covariates.columns:
        column = covariates[name]
        if column.isna().any():
            raise InputError(
                f"A Cox table needs complete values, found {int(column.isna().sum())} of {len(column)} missing in "
                f"'{name}': leave these patients out or impute, and say which."
            )
        if column.nunique() < 2:
            raise InputError(f"'{name}' is {column.iloc[0]} for everybody: leave the column out.")
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            parts.append(column.astype(float).rename(str(name)))
            continue
        parts += [
            (column == level).astype(float).rename(f"{name}: {level}") for level in sorted(column.unique(), key=str)[1:]
        ]
    return pd.concat(parts, axis=1)


def _coded(covariates: pd.DataFrame, outcome: Survival) -> pd.DataFrame:
    if len(covariates) != len(outcome.time):
        raise InputError(
            f"A row of covariates for each of {len(outcome.time)} patients is needed, found {len(covariates)}: align "
            "them."
        )
    coded = encode(covariates).reset_index(drop=True)
    infinite = [name for name in coded if not np.isfinite(coded[name]).all()]
    if infinite:
        raise InputError(f"Covariates are finite numbers, found others in {', '.join(infinite)}: correct them.")
    return coded


def _joined(outcome: Survival, coded: pd.DataFrame) -> pd.DataFrame:
    return coded.assign(**{_TIME: outcome.time, _EVENT: outcome.event})


def _fit(outcome: Survival, coded: pd.DataFrame, level: float) -> CoxPHFitter:
    # Steps that overflow end in one of the errors below.
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        try:
            fitter = CoxPHFitter(alpha=1 - level)
            return fitter.fit(_joined(outcome, coded), _TIME, _EVENT, fit_options={"precision": _PRECISION})
        except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise InputError(
                f"Cox regression on {', '.join(coded.columns)} did not converge with {int(outcome.event.sum())} "
                f"events in {len(coded)} patients: a group without events, or columns that say the same; leave one out."
            ) from error


def _limits(row: pd.Series, level: float) -> tuple[float, float]:
    shown = f"{100 * level:g}%"
    return float(row[f"exp(coef) lower {shown}"]), float(row[f"exp(coef) upper {shown}"])


def _clock(outcome: Survival, transform: str) -> Floats:
    """Return the transformed time of each event, in the order of the events."""
    times = outcome.time[outcome.event]
    if transform == "identity":
        return times
    if transform == "log":
        return np.log(times)
    if transform == "rank":
        return np.asarray(stats.rankdata(times))
    if transform != "km":
        raise InputError(
            f"'{transform}' is no transform of time; {nearest(transform, ('identity', 'km', 'log', 'rank'))}."
        )
    # The part that had died just before, as R takes it.
    known, survival = kaplan_meier_estimator(outcome.event, outcome.time)
    before = np.concatenate([[1.0], survival])[np.searchsorted(known, times, side="left")]
    return np.asarray(1 - before)
