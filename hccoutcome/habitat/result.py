"""The habitats of one tumour as a scene and a window show them: plain data that travels between processes.

``result_of`` is called where habitats are found. Whoever only shows them reads this file and needs none of the
libraries that find them.
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.files import write_json
from hccoutcome.naming import parse_feature_name
from hccoutcome.version import __version__

if TYPE_CHECKING:
    from hccoutcome.habitat.habitats import Habitats
    from hccoutcome.habitat.onecase import CaseHabitats
    from hccoutcome.habitat.preparation import RegistrationCheck

RESULT_FILE, LABEL_FILE = "result.json", "labels.nrrd"
Cells = Sequence[Any]
"""The cells of a column: all numbers, all whole numbers or all text."""

MEASURES: Mapping[str, tuple[str, str]] = {
    "ith": ("Heterogeneity (ITH)", "0: each habitat in one piece; towards 1: many small pieces"),
    "msi_contrast": ("MSI contrast", "higher: neighbours have habitats further apart in number"),
    "msi_homogeneity": ("MSI homogeneity", "higher, up to 1: neighbours have habitats close in number"),
    "msi_energy": ("MSI energy", "higher, up to 1: few kinds of neighbourhood prevail"),
    "msi_correlation": ("MSI correlation", "-1 to 1: how far neighbours' habitat numbers go together"),
    "shannon_entropy": ("Entropy of proportions", "bits; 0: one habitat; log2 k: all alike in size"),
    "cooccurrence_entropy": ("Entropy of neighbours", "bits; higher: neighbouring habitats are mixed"),
    "contagion": ("Contagion", "0 to 1; higher: habitats lie in compact blocks"),
    "interface_share": ("Share of borders", "share of inner voxel faces between different habitats"),
    "graph_nodes": ("Connected parts", "number of parts of all habitats"),
    "graph_edges": ("Touching parts", "pairs of parts that share a border"),
    "graph_mean_degree": ("Mean neighbours of a part", "parts that a part touches, on average"),
    "graph_largest_degree": ("Most neighbours of a part", "parts that one part touches, at most"),
    "graph_density": ("Density of contacts", "0 to 1; touching pairs among all possible ones"),
    "graph_interface_mm2": ("Area of borders (mm2)", "area of all borders between habitats"),
}
"""What a reader calls each measure of a map, and what its values mean; ``habitat.metrics`` defines them."""


@dataclass(frozen=True)
class Table:
    """A table: its title, and its cells by column, all columns of one length; a number that there is not is NaN."""

    title: str
    columns: Mapping[str, Cells]


@dataclass(frozen=True)
class CheckImage:
    """What shows whether a phase was registered rightly: both images in turns, square by square (uint8)."""

    phase: str
    reference: str
    image: sitk.Image


@dataclass(frozen=True)
class HabitatResult:
    """The habitats of one tumour as they are shown.

    Attributes:
        region: the region that was divided.
        labels: habitat map (uint8; 1 to k inside, 0 outside), cropped to the box around the region.
        tables: table by role: ``"table"``, ``"measures"``, ``"curve"``, ``"chosen"``, ``"interaction"``,
            ``"features"`` and, where phases were registered, ``"registration"``.
        summary: ``Habitats.summary()`` without features.
        checks: one for each registered phase.
        provenance: software, inputs, preparation, time; JSON data, empty where not known.
    """

    region: str
    labels: sitk.Image
    tables: Mapping[str, Table]
    summary: Mapping[str, Any]
    checks: tuple[CheckImage, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> dict[str, float]:
        """Features of each habitat in each phase by column name."""
        columns = self.tables["features"].columns
        return dict(zip(columns["Feature"], columns["Value"], strict=True))


def result_of(
    habitats: Habitats,
    region: str = "tumor",
    checks: Sequence[RegistrationCheck] = (),
    provenance: Mapping[str, Any] | None = None,
) -> HabitatResult:
    """Return the habitats of one tumour as they are shown.

    Args:
        habitats: what was found.
        region: the region that was divided.
        checks: one for each registered phase.
        provenance: JSON data on where the habitats come from.
    """
    return HabitatResult(
        region=region,
        labels=_cropped(habitats.labels),
        tables=_tables(habitats, region, checks),
        summary={name: value for name, value in habitats.summary().items() if name != "features"},
        checks=tuple(
            CheckImage(check.phase, check.reference, sitk.Cast(sitk.Round(check.checkerboard), sitk.sitkUInt8))
            for check in checks
        ),
        provenance=provenance or {},
    )


def provenance_of(found: CaseHabitats) -> dict[str, Any]:
    """Return what it takes to find the habitats of a case again, as JSON data."""
    import scipy
    import sklearn

    libraries = (np, scipy, sitk, sklearn)
    return {
        "software": {
            "hccoutcome": __version__,
            "python": platform.python_version(),
            **{library.__name__: library.__version__ for library in libraries},
        },
        "inputs": dict(found.case.sources),
        "synthetic": found.case.synthetic,
        "region": found.region,
        "phases": list(found.habitats.phases),
        "preparation": None if found.preparation is None else found.preparation.to_dict(),
        "settings": found.habitats.settings.to_dict(),
        "habitat_package": found.habitats.model,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _cropped(labels: sitk.Image) -> sitk.Image:
    """Return a map cut to the box around its region, every voxel where it was."""
    inside = sitk.GetArrayViewFromImage(labels) > 0
    spans = [np.flatnonzero(inside.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    first = [int(span[0]) for span in spans]
    size = [int(span[-1]) - low + 1 for span, low in zip(spans, first, strict=True)]
    return sitk.RegionOfInterest(labels, size, first)


def _tables(habitats: Habitats, region: str, checks: Sequence[RegistrationCheck]) -> dict[str, Table]:
    from hccoutcome.habitat.tables import CURVE_COLUMNS, check_rows, columns_of, curve_rows, habitat_rows

    rows, curve = habitat_rows(habitats, region), curve_rows(habitats)
    tables = {
        "table": Table("Habitats", _columns(rows, columns_of(rows))),
        "measures": Table("Habitats: measures", _measures(habitats.measures)),
        "curve": Table("Habitats: number", _columns(curve, CURVE_COLUMNS)),
        "chosen": Table("Habitats: chosen number", _columns([row for row in curve if row["chosen"]], ("k", "inertia"))),
        "interaction": Table("Habitats: interaction", _interaction(habitats)),
        "features": Table("Habitats: features", _features(habitats.features)),
    }
    if checks:
        found = check_rows(checks)
        tables["registration"] = Table("Habitats: registration", _columns(found, columns_of(found)))
    return tables


def _columns(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, Cells]:
    """Return rows as columns: text, whole numbers, or numbers with NaN where a row has none."""
    columns: dict[str, Cells] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, str) for value in values):
            columns[name] = ["" if value is None else str(value) for value in values]
        elif all(isinstance(value, int) for value in values):
            columns[name] = values
        else:
            columns[name] = [math.nan if value is None else float(value) for value in values]
    return columns


def _measures(measures: Mapping[str, float]) -> dict[str, Cells]:
    return {
        "Measure": [MEASURES[name][0] for name in measures],
        "Value": list(measures.values()),
        "Meaning": [MEASURES[name][1] for name in measures],
        "Name": list(measures),
    }


def _interaction(habitats: Habitats) -> dict[str, Cells]:
    names = ["outside", *(f"habitat{number}" for number in range(1, habitats.k + 1))]
    matrix = habitats.interaction
    return {"region": names, **{name: matrix[:, place].tolist() for place, name in enumerate(names)}}


def _features(features: Mapping[str, float]) -> dict[str, Cells]:
    names = [parse_feature_name(name) for name in features]
    return {
        "Feature": list(features),
        "Phase": [name.phase for name in names],
        "Region": [name.region for name in names],
        "Value": [float(value) for value in features.values()],
    }


def save_result(result: HabitatResult, folder: Path) -> Path:
    """Write a result into a folder (made where missing) and return its JSON file; the images are not compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(result.labels, str(folder / LABEL_FILE), useCompression=False)
    for check in result.checks:
        sitk.WriteImage(check.image, str(folder / _check_file(check.phase)), useCompression=False)
    data = {
        "region": result.region,
        "tables": {role: {"title": table.title, "columns": _to_json(table)} for role, table in result.tables.items()},
        "summary": dict(result.summary),
        "checks": [{"phase": check.phase, "reference": check.reference} for check in result.checks],
        "provenance": dict(result.provenance),
    }
    return write_json(folder / RESULT_FILE, data)


def load_result(path: Path) -> HabitatResult:
    """Return the result that ``save_result`` wrote; ``path`` is its JSON file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return HabitatResult(
        region=data["region"],
        labels=sitk.ReadImage(str(path.parent / LABEL_FILE)),
        tables={role: _from_json(table) for role, table in data["tables"].items()},
        summary=data["summary"],
        checks=tuple(
            CheckImage(**check, image=sitk.ReadImage(str(path.parent / _check_file(check["phase"]))))
            for check in data["checks"]
        ),
        provenance=data["provenance"],
    )


def _check_file(phase: str) -> str:
    return f"check-{phase}.nrrd"


def _to_json(table: Table) -> dict[str, list[Any]]:
    """Return a table's columns with null for NaN, which JSON has not."""
    return {
        name: [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]
        for name, values in table.columns.items()
    }


def _from_json(data: Mapping[str, Any]) -> Table:
    columns = {
        name: [math.nan if value is None else value for value in values] for name, values in data["columns"].items()
    }
    return Table(data["title"], columns)
