"""Fixtures that every test may use: real data where it is at hand, and the phantom everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
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


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """Return the living processes that were started since the test began.

    Earlier tests leave some behind that do no harm: pools that are kept for the next use, trackers of resources.
    """
    earlier = set(psutil.Process().children(recursive=True))

    def living() -> list[psutil.Process]:
        return [
            process
            for process in psutil.Process().children(recursive=True)
            if process not in earlier and is_alive(process)
        ]

    return living


def is_alive(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody has asked for its status yet has."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
