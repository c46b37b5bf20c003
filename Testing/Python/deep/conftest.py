"""PyTorch on one thread: what is tested is small, and the cores are shared."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Skip where PyTorch or MONAI is not installed, and keep PyTorch to one thread."""
    why = "PyTorch and MONAI are not installed: pip install hccoutcome[deep]"
    torch = pytest.importorskip("torch", reason=why)
    pytest.importorskip("monai", reason=why)
    pytest.importorskip("safetensors", reason=why)
    torch.set_num_threads(1)
