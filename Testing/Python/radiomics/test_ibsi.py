"""Prepared as IBSI prescribes, every value lies in the tolerance of IBSI 1's reference values."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Benchmarks" / "ibsi.py"


@pytest.fixture(scope="module")
def ibsi(data: Path):
    spec = importlib.util.spec_from_file_location("ibsi", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ibsi"] = module
    spec.loader.exec_module(module)
    module.DATA = data / "ibsi"
    return module


@pytest.mark.parametrize("number", range(5))
def test_every_value_lies_in_the_tolerance(ibsi, number: int) -> None:
    configuration = ibsi.CONFIGURATIONS[number]
    references, values = ibsi.read_references(configuration), ibsi.by_ibsi_rules(configuration)
    compared = [tag for tag in values if tag in references]
    missed = {tag: (values[tag], references[tag]) for tag in compared if not ibsi.within(values[tag], references[tag])}
    assert len(compared) == 144, "another part of the references is compared"
    assert not missed, configuration.name


def test_by_pyradiomics_rules_the_digital_phantom_differs_only_by_definition(ibsi) -> None:
    configuration = ibsi.CONFIGURATIONS[0]
    references, values = ibsi.read_references(configuration), ibsi.by_pyradiomics_rules(configuration)
    missed = {tag for tag, value in values.items() if tag in references and not ibsi.within(value, references[tag])}
    assert missed == {"stat_kurt", "morph_pca_min_axis", "morph_pca_least_axis"}
