"""Small packages trained on made-up patients, and what an analysis would find of one of these patients."""

from __future__ import annotations

from pathlib import Path

from simulated_patients import patients, write_tables

from hccoutcome.cohort.extraction import Extraction
from hccoutcome.cohort.packaging import TrainSettings, train_package
from hccoutcome.cohort.training import read_training_table
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.reading import read_package
from hccoutcome.package.writing import write_package
from hccoutcome.resources import resource

COHORT = "80 simulated patients"
PATIENT = "P004"


def train(folder: Path, system: str, endpoint: str, modality: str) -> Path:
    """Train a package on the made-up patients and return where it lies."""
    cohort = read_training_table(*write_tables(folder / "cohort"))
    settings = TrainSettings(
        system,
        endpoint,
        modality=modality,
        folds=3,
        repeats=1,
        cohort=COHORT,
        extraction=Extraction(resource("Parameters", "hcc-tace-seg.yaml").read_text(encoding="utf-8")),
    )
    package = train_package(cohort, settings).package
    return write_package(package, folder / package.name)


def patient(name: str = PATIENT, **changes) -> PackageInputs:
    """Return what is known of one of the patients."""
    row = patients(80)[0].loc[name]
    known = {name: value for name, value in row.items() if value is not None and value == value}
    found = {
        "modality": "CT",
        "phases": {"arterial": ImageFacts((0.8, 0.8, 2.5), (512, 512, 90))},
        "regions": {"tumor": {"arterial": 30.0}},
        "features": {name: value for name, value in known.items() if name.startswith("arterial")},
        "clinical": {name: value for name, value in known.items() if not name.startswith("arterial")},
    }
    return PackageInputs(**{**found, **changes})


def prediction_of(folder: Path, inputs: PackageInputs):
    """Return what a package says of a case, with where the case stands in its cohort."""
    from dataclasses import replace

    from hccoutcome.package.placing import outlook_of
    from hccoutcome.systems import predict

    package = read_package(str(folder))
    found = predict(package, inputs)
    return replace(found, outlook=outlook_of(found, package, inputs))
