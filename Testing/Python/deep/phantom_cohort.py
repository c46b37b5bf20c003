"""Phantoms whose outcome follows from the tumour's arterial enhancement and from AFP, which SELECTION has to find.

No patient stands in them, and no figure of theirs holds for patients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from hccoutcome.loading import read_case_folder
from hccoutcome.phantom import PhantomSettings, write_phantom

LOW, HIGH = 0.0, 160.0
"""HU by which the arterial tumour may stand out from the liver."""
AFP_MEDIAN, AFP_FACTOR = 90.0, 6.0
"""AFP of the phantoms in ng/mL: median, and one standard deviation of its logarithm as a factor."""
TUMOUR = PhantomSettings(spacing=(5.0, 5.0, 6.0), lesion_diameters=(70.0,), necrosis=0.0, capsule=False)
"""One tumour without necrosis and capsule, so that its enhancement is all that differs in kind."""


def planted_outcome(enhancement: np.ndarray, afp: np.ndarray) -> np.ndarray:
    """Return who responds, (n,): strong enhancement, and half as important a low AFP; about half of all patients."""
    strength = (enhancement - (LOW + HIGH) / 2) / ((HIGH - LOW) / np.sqrt(12))
    return 2 * strength > np.log(afp / AFP_MEDIAN) / np.log(AFP_FACTOR)


def write_cohort(root: Path, cases: int, seed: int, told: Callable[[int], None] = lambda _: None) -> Path:
    """Write phantoms as case folders and return their training table; folders that are there are left as they are.

    Args:
        root: folder for the cases.
        cases: how many.
        seed: of the enhancements; the phantoms have the seeds that follow it.
        told: how many are done, after each.
    """
    enhancement = np.random.default_rng(seed).uniform(LOW, HIGH, cases)
    records = {}
    for number, strength in enumerate(enhancement):
        name = f"phantom-{number:04d}"
        folder = write_phantom(root / name, seed + number, replace(TUMOUR, arterial_enhancement=float(strength)))
        records[name] = dict(read_case_folder(folder).clinical)
        told(number + 1)
    table = pd.DataFrame.from_dict(records, orient="index").rename_axis("case_id")
    response = np.where(planted_outcome(enhancement, table["afp"].to_numpy(float)), "PR", "SD")
    table.insert(0, "mrecist", response)
    path = root / "table.csv"
    table.to_csv(path, float_format="%g")
    return path


def permute(table: Path, out: Path, seed: int) -> Path:
    """Write a training table again with the responses dealt out among the patients."""
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    rows["mrecist"] = np.random.default_rng(seed).permutation(rows["mrecist"].to_numpy())
    rows.to_csv(out, index=False)
    return out
