"""Paths of penalised regression: logistic and Cox models with the elastic net, and the penalty by cross-validation.

Both minimise ``-log likelihood / n + penalty x (mix x |b|_1 + (1 - mix) / 2 x |b|_2^2)`` over standardised columns,
with the (partial) likelihood of the logistic or the Cox model, as glmnet does (Friedman 2010, Simon 2011). The inner
problems are solved by scikit-learn's and scikit-survival's coordinate descent.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import StratifiedKFold

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.selection.base import Floats, learn_scaling

Criterion = Literal["deviance", "concordance"]
Rule = Literal["min", "1se"]

_LEAST_MIX = 1e-3
_REWEIGHTINGS = 50
_TOLERANCE, _TOLERANCE_OF_FOLDS = 1e-4, 1e-3
"""Change of a coefficient, per standard deviation, at which a fit ends; glmnet's own is about 3e-4."""
_INNER_STEPS = 500
_EXPLAINED = 0.99
"""A model that explains this share of the deviance is all but saturated: smaller penalties change nothing but noise."""
_LEAST_WEIGHT = 1e-5
_FEWEST_PENALTIES = 3


@dataclass(frozen=True)
class CoefficientPath:
    """Coefficients over falling penalties, and how well each penalty predicts patients that the fit has not seen.

    Attributes:
        family: the model, ``"logistic"`` or ``"cox"``.
        names: the columns.
        penalties: shape (penalties,), falling.
        coefficients: shape (columns, penalties), for columns with deviation 1.
        intercepts: shape (penalties,); 0 for Cox models.
        mix: share of the absolute penalty; 1 is the LASSO.
        loss, error: shape (penalties,), mean over the folds of the loss in the part left out, and its standard error.
        criterion: what the loss is: ``"deviance"`` (for Cox models that of Verweij and van Houwelingen 1993) or
            ``"concordance"`` (1 - C or 1 - AUC).
        lowest, one_error: positions of the penalty with the lowest loss, and of the largest penalty within one standard
            error of it.
        chosen: position of the penalty that is used.
    """

    family: Literal["logistic", "cox"]
    names: tuple[str, ...]
    penalties: Floats
    coefficients: Floats
    intercepts: Floats
    mix: float
    loss: Floats
    error: Floats
    criterion: Criterion
    lowest: int
    one_error: int
    chosen: int

    @property
    def penalty(self) -> float:
        """The penalty that is used."""
        return float(self.penalties[self.chosen])

    def curves(self) -> pd.DataFrame:
        """Return the coefficients as a table for the path figure: a row a penalty, a column a feature that ever enters.

        The index is the penalty.
        """
        ever = np.any(self.coefficients != 0, axis=1)
        names = [name for name, enters in zip(self.names, ever, strict=True) if enters]
        return pd.DataFrame(self.coefficients[ever].T, index=pd.Index(self.penalties, name="penalty"), columns=names)

    def losses(self) -> pd.DataFrame:
        """Return the cross-validation curve: by penalty: ``loss``, ``error`` and the number of ``features``."""
        features = (self.coefficients != 0).sum(axis=0)
        index = pd.Index(self.penalties, name="penalty")
        return pd.DataFrame({"loss": self.loss, "error": self.error, "features": features}, index=index)


@dataclass(frozen=True)
class PathSettings:
    """How a path is computed and its penalty chosen.

    Attributes:
        mix: share of the absolute penalty, above 0 and up to 1.
        penalties: number of penalties.
        smallest: the last penalty as a share of the first, which lets nothing in; where None, 0.05 with more columns
            than patients and 0.001 otherwise.
        folds: of the cross-validation; fewer where the rarer class, or the events, are fewer.
        criterion: what the cross-validation compares.
        rule: ``"min"`` for the lowest loss, ``"1se"`` for the largest penalty within one standard error of it.
        seed: of the folds.
    """

    mix: float = 0.5
    penalties: int = 50
    folds: int = 10
    criterion: Criterion = "deviance"
    rule: Rule = "min"
    seed: int = 0
    smallest: float | None = None

    def __post_init__(self) -> None:
        if not _LEAST_MIX <= self.mix <= 1:
            raise InputError(
                f"The mix lies between {_LEAST_MIX} (ridge) and 1 (LASSO), found {self.mix:g}: correct it."
            )
        if self.penalties < 2 or self.folds < 2:
            raise InputError(f"At least 2 penalties and folds are needed, found {self.penalties} and {self.folds}.")
        for name, known in (("criterion", ("deviance", "concordance")), ("rule", ("min", "1se"))):
            if getattr(self, name) not in known:
                raise InputError(f"The {name} is {' or '.join(known)}, found '{getattr(self, name)}': choose one.")


def penalised_path(frame: pd.DataFrame, y: NDArray[Any], settings: PathSettings) -> CoefficientPath:
    """Return the path of a penalised regression with its cross-validation.

    Args:
        frame: shape (patients, columns), floats; NaN is imputed by the median of the patients at hand.
        y: responders (booleans) for the logistic, survival (structured array) for the Cox model.

    Raises:
        InputError: fewer than two patients of a class, or fewer than two events.
    """
    values = frame.to_numpy(float)
    penalties, coefficients, intercepts = _path(values, y, settings, None)
    folds = stratified_folds(y, settings)
    losses = np.full((len(folds), len(penalties)), np.nan)
    sizes = np.zeros(len(folds))
    for number, (train, test) in enumerate(folds):
        losses[number] = _held_out(values, y, train, test, penalties, settings)
        sizes[number] = y["event"][test].sum() if is_survival(y) else len(test)
    loss = np.average(losses, axis=0, weights=sizes)
    spread = np.average((losses - loss) ** 2, axis=0, weights=sizes)
    error = np.sqrt(spread / (len(folds) - 1))
    lowest = int(np.argmin(loss))
    one_error = int(np.argmax(loss <= loss[lowest] + error[lowest]))
    path = CoefficientPath(
        family="cox" if is_survival(y) else "logistic",
        names=tuple(map(str, frame.columns)),
        penalties=penalties,
        coefficients=coefficients,
        intercepts=intercepts,
        mix=settings.mix,
        loss=loss,
        error=error,
        criterion=settings.criterion,
        lowest=lowest,
        one_error=one_error,
        chosen=lowest,
    )
    return path if settings.rule == "min" else replace(path, chosen=one_error)


def _path(
    values: Floats, y: NDArray[Any], settings: PathSettings, penalties: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """Return penalties, coefficients (columns, penalties) and intercepts of standardised columns."""
    scaling = learn_scaling(values)
    x = scaling.apply(values)[:, scaling.varies]
    fit = _cox_path if is_survival(y) else _logistic_path
    coefficients = np.zeros((values.shape[1], 0))
    if x.shape[1] == 0:
        penalties = np.array([1.0, 0.5]) if penalties is None else penalties
        intercept = 0.0 if is_survival(y) else float(logit(y.mean()))
        return penalties, np.zeros((values.shape[1], len(penalties))), np.full(len(penalties), intercept)
    penalties, found, intercepts = fit(x, y, settings, penalties)
    coefficients = np.zeros((values.shape[1], len(penalties)))
    coefficients[scaling.varies] = found
    return penalties, coefficients, intercepts


def _smallest(x: Floats, settings: PathSettings) -> float:
    """Return the smallest penalty as a share of the one that lets nothing in."""
    if settings.smallest is not None:
        return settings.smallest
    return 0.05 if x.shape[0] < x.shape[1] else 1e-3


def _logistic_path(
    x: Floats, y: NDArray[np.bool_], settings: PathSettings, penalties: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """Fit by iteratively reweighted penalised least squares, each from the last penalty's coefficients."""
    target = y.astype(float)
    x = np.asfortranarray(x)
    count = len(y)
    grid = penalties
    if grid is None:
        largest = np.abs(x.T @ (target - target.mean())).max() / (count * settings.mix)
        grid = np.geomspace(largest, largest * _smallest(x, settings), settings.penalties)
    tolerance = _TOLERANCE if penalties is None else _TOLERANCE_OF_FOLDS
    model = ElasticNet(l1_ratio=settings.mix, warm_start=True, tol=tolerance, max_iter=_INNER_STEPS)
    b, intercept = np.zeros(x.shape[1]), float(logit(target.mean()))
    null = _binomial_deviance(np.full(count, intercept), target)
    found, intercepts = [], []
    for penalty in grid:
        b, intercept = _logistic_fit(model, x, target, penalty, b, intercept)
        found.append(b)
        intercepts.append(intercept)
        if penalties is None and _binomial_deviance(intercept + x @ b, target) < (1 - _EXPLAINED) * null:
            break
    return grid[: len(found)], np.array(found).T, np.array(intercepts)


def _logistic_fit(
    model: ElasticNet, x: Floats, target: Floats, penalty: float, b: Floats, intercept: float
) -> tuple[Floats, float]:
    for _ in range(_REWEIGHTINGS):
        predictor = np.clip(intercept + x @ b, -30, 30)
        chance = expit(predictor)
        weight = np.maximum(chance * (1 - chance), _LEAST_WEIGHT)
        # scikit-learn averages over the sum of the weights, the likelihood over the patients.
        model.alpha = penalty * len(target) / weight.sum()
        with warnings.catch_warnings():
            # A step that stops early is followed by another, until the coefficients no longer change.
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Thousands of small fits: checking their inputs would take three quarters of the time.
            with config_context(assume_finite=True, skip_parameter_validation=True):
                model.fit(x, predictor + (target - chance) / weight, sample_weight=weight, check_input=False)
        change = max(float(np.abs(model.coef_ - b).max()), abs(float(model.intercept_) - intercept))
        b, intercept = model.coef_.copy(), float(model.intercept_)
        if change < model.tol:
            break
    return b, intercept


def _cox_path(
    x: Floats, y: NDArray[Any], settings: PathSettings, penalties: Floats | None
) -> tuple[Floats, Floats, Floats]:
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    grid = penalties
    if grid is None:
        largest = np.abs(x.T @ _martingales(y)).max() / (len(y) * settings.mix)
        grid = np.geomspace(largest, largest * _smallest(x, settings), settings.penalties)
    wanted = grid
    while True:
        model = CoxnetSurvivalAnalysis(alphas=grid, l1_ratio=settings.mix)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                warnings.filterwarnings("ignore", message="all coefficients are zero")
                model.fit(x, y)
            break
        except ArithmeticError as error:
            # Where the columns order the events perfectly, small penalties have no finite solution.
            if len(grid) <= _FEWEST_PENALTIES:
                raise InputError(
                    "A penalised Cox model cannot be fitted to these columns: leave out what follows survival."
                ) from error
            grid = grid[: len(grid) * 3 // 4]
    found, used = model.coef_, model.alphas_
    if penalties is not None and len(used) < len(wanted):
        # The last coefficients stand for the penalties that could not be fitted.
        found = np.concatenate([found, np.repeat(found[:, -1:], len(wanted) - len(used), axis=1)], axis=1)
        used = wanted
    return used, found, np.zeros(len(used))


def _martingales(y: NDArray[Any]) -> Floats:
    """Return observed minus expected events of each patient without any covariate (Breslow's ties)."""
    times, deaths = np.unique(y["time"][y["event"]], return_counts=True)
    at_risk = (y["time"][None, :] >= times[:, None]).sum(axis=1)
    hazard = np.concatenate([[0.0], np.cumsum(deaths / at_risk)])
    return y["event"] - hazard[np.searchsorted(times, y["time"], side="right")]


def stratified_folds(y: NDArray[Any], settings: PathSettings) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return training and held-out patients of each fold, with the classes or events spread evenly.

    Raises:
        InputError: fewer than two patients of a class, or fewer than two events.
    """
    classes = y["event"] if is_survival(y) else y
    rarer = int(classes.sum()) if is_survival(y) else int(min(classes.sum(), (~classes).sum()))
    if rarer < 2:
        kind = "events" if is_survival(y) else "patients of either response"
        raise InputError(f"Choosing a penalty needs at least 2 {kind}, found {rarer}: train on more patients.")
    folds = StratifiedKFold(min(settings.folds, rarer), shuffle=True, random_state=settings.seed)
    with warnings.catch_warnings():
        # The censored may be fewer than the folds; each fold has an event.
        warnings.filterwarnings("ignore", message="The least populated class")
        return list(folds.split(np.zeros(len(y)), classes))


def _held_out(
    values: Floats,
    y: NDArray[Any],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    penalties: Floats,
    settings: PathSettings,
) -> Floats:
    """Return the loss of each penalty in the patients left out."""
    _, coefficients, intercepts = _path(values[train], y[train], settings, penalties)
    scaling = learn_scaling(values[train])
    predictor = scaling.apply(values) @ coefficients + intercepts
    if settings.criterion == "concordance":
        return np.array([1 - concordance(y[test], column) for column in predictor[test].T])
    if not is_survival(y):
        return np.array([_binomial_deviance(column, y[test].astype(float)) / len(test) for column in predictor[test].T])
    events = y["event"][test].sum()
    return 2 * (_partial(y[train], predictor[train]) - _partial(y, predictor)) / events


def _binomial_deviance(predictor: Floats, target: Floats) -> float:
    return float(2 * np.sum(np.logaddexp(0.0, predictor) - target * predictor))


def _partial(y: NDArray[Any], predictor: Floats) -> Floats:
    """Return the log partial likelihood (Breslow's ties) of predictors of shape (patients, penalties)."""
    order = np.argsort(-y["time"], kind="stable")
    time, event, eta = y["time"][order], y["event"][order], predictor[order]
    # All who have the same time are at risk together.
    last = np.searchsorted(-time, -time, side="right") - 1
    at_risk = np.logaddexp.accumulate(eta, axis=0)[last]
    return (eta - at_risk)[event].sum(axis=0)


def concordance(y: NDArray[Any], predictor: Floats) -> float:
    """Return the AUC, or Harrell's C-index; 0.5 where no two patients can be compared."""
    if not is_survival(y):
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(y, predictor))
    from sksurv.exceptions import NoComparablePairException
    from sksurv.metrics import concordance_index_censored

    try:
        return float(concordance_index_censored(y["event"], y["time"], predictor)[0])
    except NoComparablePairException:
        return 0.5
