"""Every benchmark, and one table of ratios at the end: ``python Testing/Benchmarks`` or ``make bench``.

A benchmark is a script ``bench_<area>.py`` beside this file that writes its rows where ``--rows FILE`` asks for them.
Each has a process of its own. Name areas to run only those: ``python Testing/Benchmarks maps stability``.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rows import Row, as_table, read_rows

HERE = Path(__file__).resolve().parent


def areas() -> dict[str, Path]:
    """Return the benchmark by its area."""
    return {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}


def run(area: str, script: Path, folder: Path) -> list[Row]:
    """Run one benchmark, which prints as it goes, and return its rows."""
    print(f"\n== {area}", flush=True)
    path = folder / f"{area}.json"
    done = subprocess.run([sys.executable, str(script), "--rows", str(path)], check=False)
    if done.returncode != 0 or not path.is_file():
        print(f"{script.name} failed with status {done.returncode}", flush=True)
        return []
    return read_rows(path)


def main() -> int:
    """Run what is asked for; the exit status is 1 where a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", nargs="*", choices=[[], *areas()], help="areas to run; default all")
    asked = parser.parse_args().areas or list(areas())
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = {area: run(area, areas()[area], Path(folder)) for area in asked}
    print(
        f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; ",
        end="",
    )
    print(f"all of it took {time.perf_counter() - start:.0f} s. A ratio above 1: we are faster.\n")
    print(as_table([row for rows in found.values() for row in rows]))
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
