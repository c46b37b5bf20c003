"""Everything that a study leaves on the disk: figures, tables, ``metrics.json`` and one report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hccoutcome.evaluation.figures.style import save
from hccoutcome.evaluation.study import Study
from hccoutcome.files import write_csv, write_json, write_text
from hccoutcome.report.study_figures import figures_of, slug
from hccoutcome.report.study_html import Plot, render_study
from hccoutcome.report.study_numbers import metrics_of
from hccoutcome.report.study_tables import tables_of

FIGURES, TABLES = "figures", "tables"
METRICS, REPORT = "metrics.json", "report.html"
_OWN_FIGURES = re.compile(
    r"(flow|roc|decision|calibration|cox|correlations|leaks|km-matched|(auc|brier)-over-time"
    r"|(calibration|confusion|sankey|km|forest|selection)-[a-z0-9-]+)\.(png|svg)"
)
_OWN_TABLES = re.compile(
    r"(figures|comparisons|flow|characteristics|missing|subgroup_figures|selection|decision|packages|predictions|roc"
    r"|calibration|survival|over_time|forest|cox|balance|occlusion|followed)\.csv"
)
"""Files that a study may have left; others in the folder are the user's."""


def write_study(study: Study, out: Path, beeswarms: Mapping[str, Path] | None = None) -> list[Path]:
    """Write the files of a study and return them; figures and tables of an earlier one in the folder go.

    Args:
        study: the study.
        out: folder.
        beeswarms: SVG file of the SHAP values of each explained system, by its label.

    Raises:
        EnvironmentNeeded: the folder cannot be written to.
    """
    written: list[Path] = []
    plots: list[Plot] = []
    for item in figures_of(study):
        files = save(item.figure, out / FIGURES, item.name)
        written += files
        plots.append(Plot(item.name, item.section, item.caption, files[1].read_bytes()))
    for label, path in (beeswarms or {}).items():
        caption = (
            f"SHAP values of {label}, out of fold: every patient is explained by a model that never saw the patient."
        )
        plots.append(Plot(f"beeswarm-{slug(label)}", "models", caption, path.read_bytes()))
    written += [
        write_csv(out / TABLES / f"{name}.csv", table.columns, table.rows) for name, table in tables_of(study).items()
    ]
    _remove_others(out / FIGURES, written, _OWN_FIGURES)
    _remove_others(out / TABLES, written, _OWN_TABLES)
    written.append(write_json(out / METRICS, metrics_of(study)))
    written.append(write_text(out / REPORT, render_study(study, plots)))
    return written


def _remove_others(folder: Path, written: list[Path], own: re.Pattern[str]) -> None:
    """Remove what an earlier study left, so that no figure stands beside numbers of another study."""
    for path in folder.iterdir():
        if own.fullmatch(path.name) and path not in written:
            path.unlink()
