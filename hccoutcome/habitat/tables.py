"""Habitats as tables: one row a habitat, one row a number of habitats tried. Plain rules without files or MRML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from hccoutcome.habitat.choice import CurvePoint
from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.preparation import RegistrationCheck

Row = dict[str, Any]
CURVE_COLUMNS = (*(item.name for item in fields(CurvePoint)), "chosen")


def habitat_rows(habitats: Habitats, region: str = "tumor") -> list[Row]:
    """Return one row a habitat and a last one for the region as a whole, with the measures of the map.

    Columns of a habitat: voxels, volume, proportion, connected parts, mean of each phase and voxel feature, and its row
    of the MSI matrix (voxel faces to the outside and to each habitat). What a row has not, it leaves out.
    """
    rows: list[Row] = []
    matrix = habitats.interaction
    for number, size in enumerate(habitats.sizes, start=1):
        means = {f"mean_{name}": value for name, value in habitats.centres.get(number, {}).items()}
        rows.append({"region": f"habitat{number}", **asdict(size), **means, **_faces(matrix[number])})
    whole = {
        "region": region,
        "voxels": sum(size.voxels for size in habitats.sizes),
        "volume_ml": math.fsum(size.volume_ml for size in habitats.sizes),
        "proportion": 1.0,
        "parts": sum(size.parts for size in habitats.sizes),
        "largest_voxels": max(size.largest_voxels for size in habitats.sizes),
        **_faces(matrix[1:].sum(axis=0)),
        **habitats.measures,
    }
    return [*rows, whole]


def _faces(row: Sequence[int]) -> Row:
    names = ["outside", *(f"habitat{number}" for number in range(1, len(row)))]
    return {f"msi_{name}": int(count) for name, count in zip(names, row, strict=True)}


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Return the columns of rows, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def curve_rows(habitats: Habitats) -> list[Row]:
    """Return one row for each number of habitats tried; ``chosen`` is 1 for that of the map."""
    return [{**point.to_json(), "chosen": int(point.k == habitats.k)} for point in habitats.curve]


def check_rows(checks: Sequence[RegistrationCheck]) -> list[Row]:
    """Return one row for each registered phase."""
    return [
        {
            "phase": check.phase,
            "reference": check.reference,
            "mutual_information_before": check.before,
            "mutual_information_after": check.after,
            "overlap": check.overlap,
            "warning": check.warning,
        }
        for check in checks
    ]
