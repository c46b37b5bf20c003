"""Case folders of small generated images whose tumour's brightness tells the outcome, with their table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from oblique import ball, lattice, like, positions

from hccoutcome.case import CaseFiles, ImageFile, MaskFile
from hccoutcome.loading import write_case_json

PHASES = ("arterial", "portal")
SHAPE = {"size": (36, 32, 8), "spacing": (3.0, 3.0, 6.0)}


def write_cases(root: Path, count: int, modality: str = "CT", synthetic: bool = True, seed: int = 0) -> Path:
    """Write cases and return their table, whose outcomes follow from the tumour's brightness."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        bright = float(draw.uniform(-1, 1))
        record = {"age": float(draw.integers(40, 80)), "sex": str(draw.choice(["male", "female"])), "alb": 38.0}
        record["alb"] = round(float(draw.normal(38, 4)), 1)
        name = f"case-{number:02d}"
        write_case(root / name, name, bright, record, modality, synthetic, draw)
        months = round(float(np.clip(draw.exponential(np.exp(2.5 + bright)), 0.5, 60)), 1)
        rows.append(
            {
                "case_id": name,
                "mrecist": "PR" if bright > 0 else "SD",
                "os_months": months,
                "os_event": int(months < 50),
                **record,
            }
        )
    table = root / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def write_case(folder: Path, name: str, bright: float, record, modality: str, synthetic: bool, draw) -> None:
    """Write one case: a liver with a tumour that is brighter or darker, in two phases."""
    folder.mkdir(parents=True)
    grid = lattice(**SHAPE)
    centre = draw.uniform(-6, 6, 3)
    liver, tumor = ball(grid, radius=40), ball(grid, centre, 14.0)
    inside = [sitk.GetArrayFromImage(mask) != 0 for mask in (liver, tumor)]
    for phase in PHASES:
        noise = draw.normal(0, 6, positions(grid).shape[:3])
        values = np.where(inside[0], 100.0, -20.0) + np.where(inside[1], 70.0 * bright, 0.0) + noise
        sitk.WriteImage(like(grid, values), str(folder / f"{phase}.nii.gz"))
    for region, mask in (("liver", liver), ("tumor", tumor)):
        sitk.WriteImage(mask, str(folder / f"{region}.nii.gz"))
    files = CaseFiles(
        name,
        {phase: ImageFile(folder / f"{phase}.nii.gz") for phase in PHASES},
        {region: (MaskFile(folder / f"{region}.nii.gz"),) for region in ("liver", "tumor")},
        record,
        modality,
        synthetic,
    )
    write_case_json(files, folder)
