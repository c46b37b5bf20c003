"""What the tests of the engines share."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk


@pytest.fixture(autouse=True)
def no_engines_of_the_person_who_runs_the_tests(monkeypatch, tmp_path):
    """Look for the setups in an empty folder, and for weights nowhere else."""
    monkeypatch.setenv("HCC_ENGINES", str(tmp_path / "engines.json"))
    for name in ("TOTALSEG_WEIGHTS_PATH", "TOTALSEG_HOME_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ct() -> sitk.Image:
    """A small CT whose first axis runs to the right: a bright block (120 HU) holds a brighter one (260 HU)."""
    values = np.full((17, 30, 28), -50, np.int16)
    values[4:12, 6:20, 5:22] = 120
    values[5:10, 8:14, 7:13] = 260
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.6, 1.6, 2.0))
    image.SetOrigin((100.0, 50.0, -300.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    return image
