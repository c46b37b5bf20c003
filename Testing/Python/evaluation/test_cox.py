"""Cox tables, proportional hazards and subgroups, against R's output files, statsmodels and lifelines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter
from lifelines.statistics import proportional_hazard_test
from reference_data import gbsg2, lung, tcga_lihc, veteran
from scipy import stats

from hccoutcome.errors import InputError
from hccoutcome.evaluation.cox import (
    check_proportional_hazards,
    cox,
    encode,
    hazard_ratio,
    univariate_cox,
    with_and_without,
)
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.evaluation.subgroups import forest


def draw(n: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    columns = {"a": random.normal(size=n), "b": random.normal(size=n), "c": random.choice(["x", "y", "z"], n)}
    time, end = random.exponential(10 * np.exp(-columns["a"])), random.uniform(5, 30, n)
    return pd.DataFrame(columns), as_structured(time <= end, np.minimum(time, end))


def test_univariate_tables_are_those_of_r(data: Path) -> None:
    table, outcome = tcga_lihc(data)
    expected = pd.read_csv(data / "tcga_lihc/R_uniCox.txt", sep="\t").set_index("id")
    genes = list(expected.index[:25])
    found = univariate_cox(outcome, table[genes])
    for gene in genes:
        term = found[gene].terms[0]
        row = expected.loc[gene]
        figures = (term.hazard_ratio.value, term.hazard_ratio.lower, term.hazard_ratio.upper)
        assert figures == pytest.approx((row["HR"], row["HR.95L"], row["HR.95H"]), rel=1e-5), gene
        assert term.p == pytest.approx(row["pvalue"], rel=1e-4), gene


def test_the_multivariate_table_is_that_of_r(data: Path) -> None:
    table, outcome = tcga_lihc(data)
    expected = pd.read_csv(data / "tcga_lihc/R_multiCox.txt", sep="\t").set_index("id")
    found = cox(outcome, table[list(expected.index)])
    assert found.patients == 363
    for name, row in expected.iterrows():
        term = found.term(str(name))
        ratio = term.hazard_ratio
        figures = (term.coefficient, ratio.value, ratio.lower, ratio.upper, term.p)
        assert figures == pytest.approx(tuple(row[["coef", "HR", "HR.95L", "HR.95H", "pvalue"]]), rel=1e-5), name


def test_tables_are_those_of_statsmodels(data: Path) -> None:
    table, outcome = gbsg2(data)
    covariates = table[["age", "pnodes"]].astype(float)
    expected = sm.PHReg(outcome["time"], covariates, status=outcome["event"], ties="efron").fit()
    found = cox(outcome, covariates, level=0.9)
    assert [term.coefficient for term in found.terms] == pytest.approx(expected.params, rel=1e-5)
    assert [term.error for term in found.terms] == pytest.approx(expected.bse, rel=1e-4)
    assert found.log_likelihood == pytest.approx(expected.llf)
    limits = np.exp(expected.conf_int(0.1))
    assert [term.hazard_ratio.lower for term in found.terms] == pytest.approx(limits[:, 0], rel=1e-5)


def test_a_ratio_between_groups_is_that_of_statsmodels(data: Path) -> None:
    table, outcome = lung(data)
    found = cox(outcome, table[["sex"]])
    fits = sm.PHReg(outcome["time"], table[["sex"]].astype(float), status=outcome["event"], ties="efron")
    expected = fits.fit()
    term = found.terms[0]
    assert (term.coefficient, term.error) == pytest.approx((expected.params[0], expected.bse[0]), rel=1e-4)
    assert term.p == pytest.approx(expected.pvalues[0], rel=1e-3)
    low, high = np.exp(expected.conf_int()[0])
    ratio = term.hazard_ratio
    assert (ratio.value, ratio.lower, ratio.upper) == pytest.approx((np.exp(expected.params[0]), low, high), rel=1e-4)
    likelihoods = 2 * (expected.llf - fits.loglike(np.zeros(1)))
    assert (found.chi_square, found.df, found.events) == pytest.approx((likelihoods, 1, outcome["event"].sum()))
    women = (table["sex"] == 2).to_numpy(int)
    assert hazard_ratio(outcome, women).hazard_ratio.value == pytest.approx(ratio.value)


@pytest.mark.parametrize("transform", ["identity", "log"])
def test_schoenfeld_tests_are_those_of_lifelines(data: Path, transform: str) -> None:
    table, outcome = lung(data)
    columns = ["age", "sex", "wt.loss"]
    full = table[["time", "status", *columns]].dropna()
    found = check_proportional_hazards(outcome[full.index.to_numpy()], full[columns], transform)
    ordered = full.sort_values(["time", "status"], ascending=[True, False])
    fitted = CoxPHFitter().fit(ordered, "time", "status")
    expected = proportional_hazard_test(fitted, ordered, time_transform=transform)
    assert dict(zip(found.names, found.chi_square, strict=True)) == pytest.approx(
        dict(zip(expected.name, expected.test_statistic, strict=True)), rel=1e-6
    )
    assert list(found.p) == pytest.approx([float(p) for p in stats.chi2.sf(found.chi_square, 1)])


CLOCKS = {"identity": lambda time: time, "log": np.log, "rank": stats.rankdata, "km": stats.rankdata}
"""Of times that all differ and are all of events, on which the Kaplan-Meier curve falls by equal steps."""


@pytest.mark.parametrize("transform", CLOCKS)
def test_the_tests_are_the_quadratic_forms_of_grambsch_and_therneau(data: Path, transform: str) -> None:
    """Residuals and variance by statsmodels; without ties, which the libraries treat alike."""
    table, _ = lung(data)
    full = table[["time", "status", "age", "sex"]].dropna()
    full = full.loc[full["status"] == 1].drop_duplicates("time").sort_values("time")
    covariates, time = full[["age", "sex"]].astype(float), full["time"].to_numpy(float)
    fitted = sm.PHReg(time, covariates, status=full["status"]).fit()
    clock = CLOCKS[transform](time)
    clock = clock - clock.mean()
    slope, variance = clock @ np.asarray(fitted.schoenfeld_residuals, float), np.asarray(fitted.cov_params())
    size = len(full) / (clock @ clock)
    found = check_proportional_hazards(as_structured(full["status"].to_numpy(bool), time), covariates, transform)
    assert found.global_chi_square == pytest.approx(size * slope @ variance @ slope, rel=1e-3)
    assert list(found.chi_square) == pytest.approx(size * (variance @ slope) ** 2 / np.diag(variance), rel=2e-3)
    assert (found.global_df, found.global_p) == (2, pytest.approx(stats.chi2.sf(found.global_chi_square, 2)))


def test_a_hazard_ratio_that_changes_is_found(data: Path) -> None:
    table, outcome = veteran(data)
    found = check_proportional_hazards(outcome, table[["trt", "karno"]])
    assert dict(zip(found.names, found.p, strict=True))["karno"] < 0.01  # the classic example
    covariates, steady = draw(300)
    for transform in ("km", "rank", "identity", "log"):
        assert check_proportional_hazards(steady, covariates[["a", "b"]], transform).global_p > 0.01
    # The order of the patients does not matter.
    turned = check_proportional_hazards(outcome[::-1], table[["trt", "karno"]][::-1])
    assert turned.chi_square == pytest.approx(found.chi_square)


def test_a_covariate_more_is_tested_by_the_likelihood_ratio() -> None:
    table, outcome = draw()
    found = with_and_without(outcome, table, ["a"])
    assert found.p < 0.001
    assert [term.name for term in found.without.terms] == ["b", "c: y", "c: z"]
    assert found.df == 1
    idle = with_and_without(outcome, table, ["c"])
    assert idle.df == 2
    assert idle.p > 0.01
    with pytest.raises(InputError, match=r"name at least one and leave at least one"):
        with_and_without(outcome, table, ["a", "b", "c"])
    with pytest.raises(InputError, match=r"found \['d'\]"):
        with_and_without(outcome, table, ["d"])


def test_categories_are_coded_against_their_first_level() -> None:
    found = encode(pd.DataFrame({"BCLC": ["B", "A", "C", "A"], "flag": [True, False, True, True], "n": [1, 2, 3, 4]}))
    assert list(found) == ["BCLC: B", "BCLC: C", "flag", "n"]
    assert found["BCLC: B"].tolist() == [1, 0, 0, 0]


def test_what_has_no_table_is_refused() -> None:
    table, outcome = draw(40)
    hollow = table.copy()
    hollow.loc[3, "a"] = np.nan
    with pytest.raises(InputError, match=r"found 1 of 40 missing in 'a'"):
        cox(outcome, hollow)
    with pytest.raises(InputError, match="'a' is 1 for everybody"):
        cox(outcome, table.assign(a=1))
    with pytest.raises(InputError, match="each of 40 patients is needed, found 39"):
        cox(outcome, table[1:])
    with pytest.raises(InputError, match="did not converge"):
        cox(outcome, table[["a"]].assign(twice=2 * table["a"]))
    with pytest.raises(InputError, match="did not converge"):
        cox(outcome, pd.DataFrame({"dead": outcome["event"].astype(float)}))
    with pytest.raises(InputError, match="finite numbers, found others in a"):
        cox(outcome, table.assign(a=np.where(table["b"] > 0, np.inf, 0)))
    with pytest.raises(InputError, match=r"coded 1 with patients coded 0, found \[1, 2\]"):
        hazard_ratio(outcome, np.arange(40) % 2 + 1)
    with pytest.raises(InputError, match="did you mean 'rank'"):
        check_proportional_hazards(outcome, table[["a"]], "ranks")
    with pytest.raises(InputError, match="no term 'z'"):
        cox(outcome, table).term("z")


def test_a_forest_has_the_hazard_ratio_of_each_level_and_the_interaction(data: Path) -> None:
    table, outcome = gbsg2(data)
    treated = (table["horTh"] == "yes").to_numpy()
    found = forest(outcome, treated, table[["menostat", "tgrade"]])
    assert found.overall.patients == (246, 440)
    # summary(coxph(Surv(time, cens) ~ horTh, GBSG2)): 0.6949 [0.5438, 0.888].
    ratio = found.overall.term.hazard_ratio
    assert (round(ratio.value, 4), round(ratio.lower, 4), round(ratio.upper, 3)) == (0.6949, 0.5438, 0.888)
    post = (table["menostat"] == "Post").to_numpy()
    menopause = found.subgroups[0]
    assert [row.level for row in menopause.rows] == ["Post", "Pre"]
    assert menopause.rows[0].term.hazard_ratio == hazard_ratio(outcome[post], treated[post].astype(int)).hazard_ratio
    assert sum(sum(row.patients) for row in menopause.rows) == 686
    # The same test from statsmodels, with the product.
    main = np.stack([treated, ~post], axis=1).astype(float)
    fits = [
        sm.PHReg(outcome["time"], values, status=outcome["event"], ties="efron").fit().llf
        for values in (main, np.column_stack([main, main.prod(axis=1)]))
    ]
    assert menopause.interaction_p == pytest.approx(stats.chi2.sf(2 * (fits[1] - fits[0]), 1), rel=1e-4)


def test_a_level_without_events_has_a_reason_and_no_ratio() -> None:
    _, outcome = draw(100)
    group = np.arange(100) % 2 == 0
    levels = pd.Series(np.where(np.arange(100) < 50, "early", "late"))
    outcome["event"][(levels == "late").to_numpy() & group] = False
    levels[:3] = None
    found = forest(outcome, group, pd.DataFrame({"stage": levels}))
    early, late = found.subgroups[0].rows
    assert early.term is not None
    assert sum(early.patients) == 47
    assert (late.term, late.reason) == (None, "one of the groups has no events")
    assert found.subgroups[0].interaction_p is None
    with pytest.raises(InputError, match="A row of subgroups for each of 100 patients is needed, found 99"):
        forest(outcome, group, pd.DataFrame({"stage": levels[1:]}))
