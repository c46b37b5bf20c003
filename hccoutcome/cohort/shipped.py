"""The shipped packages that were trained on open data: ``python -m hccoutcome.cohort.shipped DATA OUT``.

HCC-TACE-Seg (The Cancer Imaging Archive, doi 10.7937/TCIA.5FNA-0924, CC BY 4.0) with a table of radiomic features of
its tumours that another group extracted. Response (mRECIST by reader 1) and overall survival, each from clinical
variables, from features, and from both. The data stay outside of the repository; the same data give the same packages.

Logistic and Cox regressions with a ridge penalty: on a hundred patients nothing else was measurably better
(Docs/systems/hcc-tace-seg.md), each input's part in a score is exact, and a linear package needs no library where it is
applied.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hccoutcome.cohort.extraction import Extraction
from hccoutcome.cohort.mapping import CohortMapping, read_mapping, translate_features, translate_table
from hccoutcome.cohort.packaging import TrainSettings, train_package
from hccoutcome.cohort.table import ID_COLUMN
from hccoutcome.cohort.training import read_training_table
from hccoutcome.cohort.training_cohort import TrainingCohort
from hccoutcome.errors import HCCError, InputError
from hccoutcome.files import write_csv
from hccoutcome.package.format import Range
from hccoutcome.package.writing import write_package
from hccoutcome.progress import Progress, part, silent
from hccoutcome.resources import resource
from hccoutcome.stability.gate import stability_table
from hccoutcome.stability.ratings import ratings_of
from hccoutcome.stability.table import StabilityTable

CLINICAL_FILE = "HCC-TACE-Seg_clinical_data-V2.xlsx"
FEATURE_FILE = "radiomics_original_sheared_translated.csv"
MAPPING = SETTINGS = "hcc-tace-seg"
SEED = 20261126
FOLDS, REPEATS = 5, 10
SYSTEMS = (("logistic-ridge", "mrecist", "response"), ("cox-ridge", "os", "survival"))
"""System, endpoint, and what it is in the packages' names."""
_PREFIX = "arterial_tumor_original_"
KINDS = {"clinical": "clinical", "imaging": "imaging", "fusion": "early"}
"""Modality by the last word of the packages' names."""

COHORT = "HCC-TACE-Seg: patients of one hospital (MD Anderson, Houston) with hepatocellular carcinoma, treated by TACE"
SOURCE = (
    "The Cancer Imaging Archive, doi 10.7937/TCIA.5FNA-0924, CC BY 4.0 (Moawad AW, et al. Sci Data 2023, doi "
    "10.1038/s41597-023-01928-3); the features come from another group's table, whose author states no licence: "
    "neither is part of this package."
)
PHASE_UNKNOWN = (
    "The features that the package was trained on come without the phase of their CT: they are taken for arterial, and "
    "nothing confirms it."
)
EXTRACTED_ELSEWHERE = (
    "They were extracted by another group; the settings (PyRadiomics' defaults on the CT's own grid, bins of 25 HU) "
    "were inferred from the table, and how the tumours were outlined is not stated."
)
IMAGING_LIMITS = (
    "One phase; 107 features of the original image; the voxels of the CTs had {low:.2f} to {high:.2f} mm3 and nothing "
    "was resampled, so features depend on the voxel size.",
    "The features of 86 of the 103 tumours had been extracted from grey levels 1024 above Hounsfield units. Their "
    "first-order features were put right by arithmetic; the edges of their texture bins stay 1 HU away.",
    "Only features with an ICC of 0.75 over the original outline and two rough perturbations of it (sheared, "
    "translated) were learned from: mostly size and shape.",
)
CLINICAL_LIMITS = (
    "The performance status was known in groups only (0; 1 or 2; 3 or 4), the diameter of half of the tumours not at "
    "all; laboratory values other than AFP are not in the data.",
)
RESPONSE_LIMIT = (
    "Response is mRECIST by reader 1 of three; categories by the other readers differ. Patients whose response was not "
    "read are left out."
)


@dataclass(frozen=True, eq=False)
class OpenData:
    """The open data as they are learned from.

    Attributes:
        cohort: the patients.
        stability: of their features, over three outlines.
        voxels: least and greatest volume of a voxel of their CTs in mm3.
    """

    cohort: TrainingCohort
    stability: StabilityTable
    voxels: tuple[float, float]


def read_open_data(folder: Path) -> OpenData:
    """Read the clinical workbook and the feature table.

    Raises:
        InputError: a file is missing or not what it was.
    """
    for name in (CLINICAL_FILE, FEATURE_FILE):
        if not (folder / name).is_file():
            raise InputError(f"'{folder}' should hold '{name}' and does not: give the folder of the data.")
    mapping = read_mapping(MAPPING)
    with tempfile.TemporaryDirectory() as scratch:
        cohort, stability = _translated(folder, mapping, Path(scratch))
    total, energy = (cohort.X[f"{_PREFIX}firstorder_{name}"] for name in ("TotalEnergy", "Energy"))
    voxels = (total / energy).dropna()
    return OpenData(cohort, stability, (float(voxels.min()), float(voxels.max())))


def _translated(folder: Path, mapping: CohortMapping, scratch: Path) -> tuple[TrainingCohort, StabilityTable]:
    columns, rows = translate_table(folder / CLINICAL_FILE, mapping.table)
    if mapping.features is None:
        raise InputError(f"The mapping '{MAPPING}' says nothing of features: install the extension again.")
    names, chosen, repeats = translate_features(folder / FEATURE_FILE, mapping.features)
    table = write_csv(scratch / "table.csv", columns, rows)
    features = write_csv(scratch / "features.csv", [ID_COLUMN, *names], chosen)
    ratings = ratings_of(
        [(row[ID_COLUMN], row["rater"], {name: _number(row[name]) for name in names}) for row in repeats]
    )
    return read_training_table(table, features), stability_table(ratings)


def _number(cell: str) -> float:
    return float(cell) if cell else np.nan


def settings_of_all(data: OpenData) -> Iterator[TrainSettings]:
    """Yield what is trained, one package after the other."""
    parameters = resource("Parameters", f"{SETTINGS}.yaml").read_text(encoding="utf-8")
    low, high = data.voxels
    imaging = tuple(limit.format(low=low, high=high) for limit in IMAGING_LIMITS)
    for system, endpoint, what in SYSTEMS:
        for word, modality in KINDS.items():
            limits = (
                *(CLINICAL_LIMITS if word != "imaging" else ()),
                *(imaging if word != "clinical" else ()),
                *((RESPONSE_LIMIT,) if endpoint == "mrecist" else ()),
            )
            yield TrainSettings(
                system=system,
                endpoint=endpoint,
                reader="1" if endpoint == "mrecist" else "",
                modality=modality,
                seed=SEED,
                folds=FOLDS,
                repeats=REPEATS,
                stability=data.stability if word != "clinical" else None,
                extraction=Extraction(parameters) if word != "clinical" else None,
                name=f"tace-{what}-{word}",
                title=f"{what.capitalize()} after TACE, {word} (ridge regression, HCC-TACE-Seg)",
                cohort=COHORT,
                source=SOURCE,
                cautions=(PHASE_UNKNOWN, EXTRACTED_ELSEWHERE),
                limits=limits,
                voxel_mm3=Range(low, high),
                substitutes=("portal",),
            )


def write_trained_packages(
    data: Path, out: Path, *, workers: int = 1, only: tuple[str, ...] = (), progress: Progress = silent
) -> list[Path]:
    """Train the packages and write them.

    Args:
        data: folder with the clinical workbook and the feature table.
        out: folder for the packages.
        workers: processes of the cross-validation; the result does not depend on it.
        only: names of packages; all where empty.
        progress: told how far the work is.

    Raises:
        InputError: the data are not what they should be.
    """
    found = read_open_data(data)
    chosen = [settings for settings in settings_of_all(found) if not only or settings.name in only]
    written = []
    for place, settings in enumerate(chosen):
        step = part(progress, place / len(chosen), (place + 1) / len(chosen))
        trained = train_package(found.cohort, settings, workers=workers, progress=step)
        written.append(write_package(trained.package, out / settings.name))
    return written


def main(arguments: list[str] | None = None) -> int:
    """Train and write the packages; the way of the maintainers."""
    parser = argparse.ArgumentParser(prog="python -m hccoutcome.cohort.shipped", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the clinical workbook and the feature table")
    parser.add_argument("out", type=Path, help="folder for the packages: Resources/Models")
    parser.add_argument("--workers", type=int, default=1, help="processes of the cross-validation")
    parser.add_argument("--only", nargs="+", default=[], help="names of packages; all where not given")
    options = parser.parse_args(arguments)

    def tell(fraction: float, message: str) -> None:
        sys.stderr.write(f"{fraction:4.0%} {message}\n")

    try:
        write_trained_packages(
            options.data, options.out, workers=options.workers, only=tuple(options.only), progress=tell
        )
    except HCCError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
