"""What a benchmark found, as rows that one table is made of: ``python bench_maps.py --rows FILE.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        area: What is compared: features, voxel maps, stability, habitats.
        case: On which data, with which settings.
        ours: Our time in seconds, the median of several runs after compilation where they are short.
        peer: Who the peer is, and how it was run.
        theirs: Its time in seconds, None where it is not installed here.
        aim: The ratio or the seconds to reach, in words; empty where none was set.
    """

    area: str
    case: str
    ours: float
    peer: str = ""
    theirs: float | None = None
    aim: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times faster than the peer."""
        return None if self.theirs is None else self.theirs / self.ours


def write_rows(path: Path | None, rows: Sequence[Row]) -> None:
    """Write rows for the table of all benchmarks, where a file is asked for."""
    if path is not None:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """Return the rows that a benchmark wrote."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def as_table(rows: Sequence[Row]) -> str:
    """Return the table of ratios, one area after the other."""
    head = ("", "case", "ours", "peer", "its time", "ratio", "aim")
    lines = [head, *(_cells(row) for row in sorted(rows, key=lambda row: row.area))]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    shown = [_line(line, widths) for line in lines]
    return "\n".join([shown[0], "-" * max(map(len, shown)), *shown[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [text.rjust(width) for text, width in zip(cells, widths, strict=True)]
    for k in (0, 1, 3, 6):
        padded[k] = cells[k].ljust(widths[k])
    return "  ".join(padded).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "-" if row.ratio is None else f"{row.ratio:.3g}x" if row.ratio < 10 else f"{row.ratio:.0f}x"
    theirs = "not here" if row.theirs is None and row.peer else "" if row.theirs is None else _time(row.theirs)
    return row.area, row.case, _time(row.ours), row.peer, theirs, ratio, row.aim


def _time(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1e3:.2g} ms" if seconds < 0.01 else f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
