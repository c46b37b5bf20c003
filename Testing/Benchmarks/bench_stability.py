"""Time of the stability measures against pingouin, in one run: ``python bench_stability.py``.

1,888 features of 30 subjects by 3 raters, each drawn at random around the subject's own value. pingouin computes one
feature at a time: it is timed on some of them, and its time for all is extrapolated.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rows import Row, write_rows

from hccoutcome.stability.icc import intraclass_correlation

SUBJECTS, RATERS, FEATURES = 30, 3, 1888


def ratings() -> np.ndarray:
    """Return values of shape (subjects, raters, features)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(SUBJECTS, 1, FEATURES)) + 0.5 * rng.normal(size=(SUBJECTS, RATERS, FEATURES))


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def theirs(values: np.ndarray, features: int) -> float | None:
    """Return pingouin's time for all features, extrapolated from some; None where it is not installed."""
    if find_spec("pingouin") is None:
        return None
    import pandas as pd
    import pingouin

    subject, rater = np.divmod(np.arange(SUBJECTS * RATERS), RATERS)

    def some() -> None:
        for k in range(features):
            table = pd.DataFrame({"subject": subject, "rater": rater, "value": values[:, :, k].ravel()})
            pingouin.intraclass_corr(table, targets="subject", raters="rater", ratings="value")

    return seconds(some, 1) * FEATURES / features


def main() -> None:
    """Print what is measured, and write it as a row where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="JSON file for the rows of the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    values = ratings()
    ours, peer = seconds(lambda: intraclass_correlation(values, "2,1"), 21), theirs(values, 200)
    case = f"ICC(2,1) with limits, {FEATURES:,} features x {SUBJECTS} subjects x {RATERS} raters"
    print(f"{case}: {ours * 1e3:.1f} ms, pingouin {'not here' if peer is None else f'{peer:.1f} s'}")
    write_rows(
        options.rows, [Row("stability", case, ours, "pingouin, 200 features, extrapolated", peer, "milliseconds")]
    )


if __name__ == "__main__":
    main()
