"""Small networks as packages, and a case of oblique images that they can read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import small_models
from oblique import ball, ramp, united

from hccoutcome.case import Case
from hccoutcome.deep.dlopctr_inputs import DlopctrView
from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.package import DeepConfig
from hccoutcome.deep.package_making import Making, make_package
from hccoutcome.deep.selection_inputs import SelectionView
from hccoutcome.deep.tci_inputs import TciView
from hccoutcome.package.format import Package
from hccoutcome.package.inputs import learn_columns

PHASES = ("arterial", "portal")
PATIENTS = 12


def table() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "age": draw.uniform(40, 80, PATIENTS).round(),
            "sex": draw.choice(["male", "female"], PATIENTS),
            "alb": draw.uniform(28, 45, PATIENTS).round(1),
        },
        index=[f"p{number}" for number in range(PATIENTS)],
    )


def selection_package(
    target="response", phantoms=True, median=0.5, variables=True, size=small_models.SIZE
) -> tuple[Package, DeepModel]:
    model = small_models.selection(3 if variables else 0, size)
    if variables:
        model.network.clinic.learn(np.column_stack([column.numbers(table()[column.name]) for column in _columns()]))
    config = DeepConfig(
        system="selection" if variables else "selection-vit",
        target=target,
        size=model.network.size.to_dict(),
        view=SelectionView(pixels=size.pixels),
        median=median,
        phantoms=phantoms,
        columns=_columns() if variables else (),
    )
    return make_package(config, model, table(), _making(f"selection-{target.split()[0]}")), model


def _columns():
    # Centre and scale are the network's own matter.
    return learn_columns(table(), standardise=False)


def tci_package(phantoms=True) -> tuple[Package, DeepModel]:
    model = small_models.tci()
    view = TciView(phases=PHASES, reach=1, pixels=32)
    config = DeepConfig(
        system="tci",
        target="response",
        size=model.network.reader.size.to_dict(),
        view=view,
        median=0.5,
        phantoms=phantoms,
        extractor=small_models.EXTRACTOR[3].to_dict(),
    )
    return make_package(config, model, table(), _making("tci")), model


def dlopctr_package(phantoms=True) -> tuple[Package, DeepModel]:
    model = small_models.dlopctr()
    config = DeepConfig(
        system="dlopctr",
        target="survival",
        size={"features": small_models.EXTRACTOR[4].channels},
        view=DlopctrView(patches=3, pixels=32),
        median=0.0,
        phantoms=phantoms,
        extractor=small_models.EXTRACTOR[4].to_dict(),
        breaks=(0.0, 6.0, 12.0, 18.0, 24.0, 36.0),
    )
    return make_package(config, model, table(), _making("dlopctr")), model


def _making(name: str) -> Making:
    return Making(name=f"{name}-small", endpoint="objective response", card="# Small\n\nFor tests.\n")


def a_case(modality="CT", synthetic=True, **clinical) -> Case:
    images = {phase: ramp() + 15.0 * number for number, phase in enumerate(PHASES)}
    tumor = united(ball(images["arterial"], (8, -6, 2), 9.0), ball(images["arterial"], (8, -6, 7), 6.0))
    masks = {"tumor": (tumor,), "liver": (ball(images["arterial"], radius=28),)}
    record = {"age": 61.0, "sex": "male", "alb": 36.0, **clinical}
    return Case("case-1", images, masks, record, modality, synthetic)


def without(case: Case, phase: str) -> Case:
    return replace(case, images={name: image for name, image in case.images.items() if name != phase})
