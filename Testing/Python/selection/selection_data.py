"""Made-up cohorts with a known truth, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SURVIVAL = np.dtype([("event", bool), ("time", float)])


def response_cohort(
    patients: int = 80, columns: int = 12, seed: int = 0, effect: float = 1.2
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns of which the first two tell responders, and who responded."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(patients, columns))
    logit = effect * (values[:, 0] - values[:, 1])
    responders = random.random(patients) < 1 / (1 + np.exp(-logit))
    return frame(values), responders


def survival_cohort(
    patients: int = 100, columns: int = 10, seed: int = 0, effect: float = 0.8
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns of which the first two tell the hazard, and survival in whole weeks (so that times are tied)."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(patients, columns))
    time = random.exponential(np.exp(-effect * (values[:, 0] - values[:, 1])) * 20)
    censored = random.exponential(40, patients)
    outcome = np.empty(patients, SURVIVAL)
    outcome["event"], outcome["time"] = time <= censored, np.ceil(np.minimum(time, censored))
    return frame(values), outcome


def frame(values: np.ndarray) -> pd.DataFrame:
    names = [f"arterial_tumor_original_glcm_F{i:03}" for i in range(values.shape[1])]
    return pd.DataFrame(values, index=[f"P{i:03}" for i in range(len(values))], columns=names)


def tcga(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the expression of 189 genes in TCGA-LIHC, and overall survival in days."""
    path = data / "tcga_lihc" / "TCGA_LIHC_189genes_clinical.txt"
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand")
    table = pd.read_csv(path, sep="\t")
    outcome = np.empty(len(table), SURVIVAL)
    outcome["event"], outcome["time"] = table["fustat"] == 1, table["futime"]
    return table.set_index("id").iloc[:, table.columns.get_loc("TFRC") - 1 :], outcome
