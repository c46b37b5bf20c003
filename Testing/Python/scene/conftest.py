"""The scene, emptied before each test."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed: pip install hccoutcome[host]")


@pytest.fixture
def scene():
    """Return the MRML scene with nothing but the host's own nodes in it."""
    from hccoutcome.scene.host import clear_scene, start_host

    clear_scene()
    return start_host()
