"""Fixtures that every test may use: real data where it is at hand, and the phantom everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real data: ``$HCC_TEST_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("HCC_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real data lies neither in $HCC_TEST_DATA nor in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Case folder of a coarse synthetic patient; never written into."""
    from hccoutcome.phantom import PhantomSettings, write_phantom

    return write_phantom(tmp_path_factory.mktemp("phantom") / "case", 1, PhantomSettings(spacing=(4.0, 4.0, 5.0)))
