"""Phantoms on a coarse grid, drawn once for all tests."""

from __future__ import annotations

import pytest
from phantom_arrays import COARSE, quiet

from hccoutcome.case import Case
from hccoutcome.phantom import PhantomSettings, phantom_case


@pytest.fixture(scope="session")
def case() -> Case:
    return phantom_case(1, PhantomSettings(spacing=COARSE))


@pytest.fixture(scope="session")
def quiet_case() -> Case:
    return phantom_case(1, quiet())


@pytest.fixture(scope="session")
def mr_case() -> Case:
    return phantom_case(1, PhantomSettings(spacing=COARSE, modality="MR"))
