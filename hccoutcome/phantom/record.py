"""The clinical record of a phantom: plausible for hepatocellular carcinoma in mostly compensated cirrhosis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hccoutcome.clinical.record import parse_record
from hccoutcome.clinical.variables import find

Record = dict[str, float | str]

# Median, spread as a factor (one standard deviation of the logarithm), least and greatest value, digits.
_LABORATORY = {
    "afp": (90.0, 6.0, 2.0, 60000.0, 1),
    "pivka": (400.0, 5.0, 15.0, 40000.0, 0),
    "alt": (42.0, 1.6, 12.0, 240.0, 0),
    "ast": (52.0, 1.6, 14.0, 320.0, 0),
    "tbil": (15.5, 1.5, 5.0, 55.0, 1),
    "alb": (38.5, 1.12, 27.0, 48.0, 1),
    "ldh": (225.0, 1.25, 120.0, 600.0, 0),
    "pt": (13.0, 1.07, 10.8, 17.0, 1),
    "plt": (145.0, 1.5, 45.0, 380.0, 0),
    "neu": (3.4, 1.4, 1.2, 9.0, 2),
    "lym": (1.4, 1.4, 0.5, 3.5, 2),
    "mon": (0.45, 1.35, 0.15, 1.2, 2),
    "crp": (5.0, 2.4, 0.3, 60.0, 1),
    "creatinine": (76.0, 1.2, 48.0, 130.0, 0),
}
_NORMAL_PT = 12.2  # s; the INR is the ratio to it
_ASCITES = (("none", 0.84), ("slight", 0.16))
_ENCEPHALOPATHY = (("none", 0.97), ("grade 1-2", 0.03))


def draw_record(
    rng: np.random.Generator, largest: float, count: int, extent: float, given: Mapping[str, float | str]
) -> Record:
    """Return a clinical record by schema name in the schema's units; every liver score can be computed from it.

    Args:
        rng: random numbers.
        largest: diameter of the largest lesion in mm.
        count: number of lesions.
        extent: percent of the liver's volume that is tumour.
        given: entries that replace the drawn ones.

    Raises:
        InputError: a given entry is not one of the schema's.
    """
    drawn = {**_patient(rng), **_laboratory(rng), **_tumour(largest, count, extent), **_function(rng)}
    return parse_record({**drawn, **{find(name).name: value for name, value in given.items()}})


def _patient(rng: np.random.Generator) -> Record:
    male = rng.random() < 0.8
    height = float(np.round(rng.normal(171 if male else 159, 6)))
    bmi = float(np.clip(rng.normal(24.5, 3), 18.5, 34))
    virus = rng.choice(3, p=(0.6, 0.2, 0.2))
    return {
        "age": float(np.clip(np.round(rng.normal(62, 9)), 38, 84)),
        "sex": "male" if male else "female",
        "height": height,
        "weight": float(np.round(bmi * (height / 100) ** 2)),
        "ecog": float(rng.random() < 0.25),
        "comorbidity": float(rng.random() < 0.4),
        "hbv": float(virus == 0),
        "hcv": float(virus == 1),
        "cirrhosis": 1.0,
    }


def _laboratory(rng: np.random.Generator) -> Record:
    found: Record = {}
    for name, (median, factor, least, greatest, digits) in _LABORATORY.items():
        value = median * factor ** rng.standard_normal()
        found[name] = round(float(np.clip(value, least, greatest)), digits)
    return {**found, "inr": round(float(found["pt"]) / _NORMAL_PT, 2)}


def _tumour(largest: float, count: int, extent: float) -> Record:
    return {
        "tumor_number": float(count),
        "tumor_diameter": round(largest / 10, 1),
        "tumor_extent": round(extent, 1),
        "pvtt": 0.0,
        "portal_vein_thrombus": 0.0,
        "hvtt": 0.0,
        "vascular_invasion": 0.0,
        "metastasis": 0.0,
        "lymph_node": 0.0,
    }


def _function(rng: np.random.Generator) -> Record:
    return {"ascites": _one_of(rng, _ASCITES), "encephalopathy": _one_of(rng, _ENCEPHALOPATHY)}


def _one_of(rng: np.random.Generator, chances: tuple[tuple[str, float], ...]) -> str:
    names, weights = zip(*chances, strict=True)
    return str(rng.choice(names, p=weights))
