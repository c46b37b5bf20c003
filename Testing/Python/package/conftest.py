"""The toy package as a fixture."""

from __future__ import annotations

import pytest
from toy_package import make_package

from hccoutcome.package.format import Package


@pytest.fixture
def a_package() -> Package:
    return make_package()
