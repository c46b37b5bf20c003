"""Made-up patients whose outcome follows from known columns: an age, an AFP and a stage, and one radiomic feature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

STAGES = ("0", "A", "B", "C", "D")


def features(names: tuple[str, ...] | list[str]) -> list[str]:
    return [f"arterial_tumor_original_{name}" for name in names]


def patients(n: int = 120, seed: int = 0, noise: int = 6, missing: float = 0.05) -> tuple[pd.DataFrame, np.ndarray]:
    """A table and the log hazard (or log-odds of no response) behind it, shape (n,)."""
    draw = np.random.default_rng(seed)
    afp = draw.lognormal(4, 1.5, n)
    stage = draw.integers(0, 5, n)
    signal = draw.normal(size=n)
    columns = {
        "age": draw.normal(62, 9, n).round(),
        "afp": afp,
        "bclc": np.array(STAGES, object)[stage],
        "sex": np.array(["female", "male"], object)[draw.integers(0, 2, n)],
        "cirrhosis": draw.integers(0, 2, n).astype(float),
        **dict(zip(features(["firstorder_Mean"]), [100 + 25 * signal], strict=True)),
    }
    for place in range(noise):
        columns[features([f"glcm_Noise{place}"])[0]] = draw.normal(size=n) * 10.0**place
    table = pd.DataFrame(columns, index=[f"P{i:03}" for i in range(n)])
    for name in ("age", "afp", *features(["firstorder_Mean"])):
        table.loc[draw.random(n) < missing, name] = np.nan
    table.loc[draw.random(n) < missing, "bclc"] = None
    hazard = 0.8 * (stage - 2) / np.sqrt(2) + 0.8 * signal
    return table, hazard


def survival(hazard: np.ndarray, seed: int = 0) -> np.ndarray:
    """Exponential times in months with the given log hazards, censored at random."""
    draw = np.random.default_rng([seed, 1])
    time = draw.exponential(20 * np.exp(-hazard))
    censoring = draw.exponential(60, len(hazard))
    outcome = np.empty(len(hazard), [("event", bool), ("time", float)])
    outcome["event"], outcome["time"] = time <= censoring, np.minimum(time, censoring)
    return outcome


def response(hazard: np.ndarray, seed: int = 0) -> np.ndarray:
    """Responders, the rarer the higher the hazard."""
    draw = np.random.default_rng([seed, 2])
    return draw.random(len(hazard)) < 1 / (1 + np.exp(2 * hazard))


def write_tables(folder: Path, n: int = 80, seed: int = 0) -> tuple[Path, Path]:
    """Write the patients as ``table.csv`` (with outcomes) and ``features.csv``."""
    table, hazard = patients(n, seed)
    outcome = survival(hazard, seed)
    clinical = table[["age", "afp", "bclc", "sex", "cirrhosis"]].copy()
    clinical["cirrhosis"] = clinical["cirrhosis"].astype(int)
    clinical["os_months"], clinical["os_event"] = outcome["time"], outcome["event"].astype(int)
    clinical["mrecist"] = np.where(response(hazard, seed), "PR", "SD")
    folder.mkdir(parents=True, exist_ok=True)
    clinical.to_csv(folder / "table.csv", index_label="case_id")
    table[[name for name in table if name.startswith("arterial")]].to_csv(
        folder / "features.csv", index_label="case_id"
    )
    return folder / "table.csv", folder / "features.csv"
