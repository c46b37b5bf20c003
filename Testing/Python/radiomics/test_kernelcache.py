"""A compiled kernel never outlives a change of what it was compiled from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hccoutcome.radiomics.kernelcache import STAMP, drop_stale_kernels

INNER = "from numba import njit\n\n\n@njit(cache=True)\ndef inner(x):\n    return x + {added}\n"
OUTER = "from inner import inner\nfrom numba import njit\n\n\n@njit(cache=True)\ndef outer(x):\n    return inner(x)\n"


def test_kernels_stay_while_no_source_changes_and_go_when_any_does(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    assert drop_stale_kernels(tmp_path)
    kernel = tmp_path / "__pycache__" / "a.kernel-1.py311.1.nbc"
    kernel.write_bytes(b"compiled")
    assert not drop_stale_kernels(tmp_path)
    assert kernel.exists()
    (tmp_path / "b.py").write_text("y = 2\n")
    assert drop_stale_kernels(tmp_path)
    assert not kernel.exists()
    assert (tmp_path / "__pycache__" / STAMP).is_file()


def test_a_kernel_follows_a_function_that_it_took_in_from_another_file(tmp_path: Path) -> None:
    """Without the sweep numba gives the old value; the first assertion shows that the danger is real."""
    (tmp_path / "inner.py").write_text(INNER.format(added=1))
    (tmp_path / "outer.py").write_text(OUTER)
    drop_stale_kernels(tmp_path)
    assert value(tmp_path) == "2"
    (tmp_path / "inner.py").write_text(INNER.format(added=10))
    assert value(tmp_path) == "2", "numba noticed the change by itself: the sweep is not needed any more"
    drop_stale_kernels(tmp_path)
    assert value(tmp_path) == "11"


def value(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from outer import outer; print(outer(1))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return done.stdout.strip()
