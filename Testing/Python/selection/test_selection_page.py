"""The page on selection is true: its example runs, and it names every estimator and what they promise."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from selection_data import response_cohort

import hccoutcome.selection
from hccoutcome.selection.base import Selector
from hccoutcome.selection.columns import ColumnEncoder

PAGE = (Path(__file__).resolve().parents[3] / "Docs" / "selection.md").read_text(encoding="utf-8")


def estimators() -> dict[str, type]:
    found: dict[str, type] = {"ColumnEncoder": ColumnEncoder}
    for module in pkgutil.iter_modules(hccoutcome.selection.__path__, "hccoutcome.selection."):
        for name, item in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(item, Selector) and not inspect.isabstract(item) and not name.startswith("_"):
                found[name] = item
    found.pop("Selector", None)
    return found


def test_the_page_names_every_estimator_and_no_other() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows == set(estimators())


def test_the_defaults_are_those_of_the_page() -> None:
    made = {name: item() for name, item in estimators().items()}
    assert (made["CorrelationFilter"].threshold, made["UnivariateFilter"].threshold) == (0.9, 0.05)
    assert (made["LassoSelector"].folds, made["LassoCoxSelector"].folds, made["LassoSelector"].penalties) == (
        10,
        10,
        50,
    )
    assert made["UnivariateMultivariateCox"].events_per_variable == 5


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, y = response_cohort(80, 10, effect=2.0)
    table.rename_axis("case_id").to_csv(tmp_path / "features.csv")
    lines = [
        f"{case},{50 + i % 30},{'CR' if responder else 'SD'}"
        for i, (case, responder) in enumerate(zip(table.index, y, strict=True))
    ]
    (tmp_path / "table.csv").write_text("\n".join(["case_id,age,mrecist_reader1", *lines]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "Docs/selection.md", "exec"), names)
    chosen = names["model"][:-1].get_feature_names_out()  # type: ignore[index]
    assert set(table.columns[:2]) <= set(chosen)
