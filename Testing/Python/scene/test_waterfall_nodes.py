from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer
import worked_example

from hccoutcome.explanation.waterfall import Step, Waterfall
from hccoutcome.scene.build import add_case, add_findings
from hccoutcome.scene.exchange import table_from_node
from hccoutcome.scene.explanation import ROLE, waterfall_columns
from hccoutcome.scene.nodes import nodes_of
from hccoutcome.scene.store import load_scene, save_scene

SCORE = replace(worked_example.RADSCORE, score=0.1628708 + 0.1056 - 0.4123)
KEY = f":{SCORE.package}"


@pytest.fixture
def nodes(scene, tmp_path: Path):
    """The case's nodes after saving and reading back."""
    findings = replace(worked_example.findings(), predictions=(SCORE, worked_example.REFUSED))
    add_findings(findings, add_case(worked_example.case()))
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(False)
    return nodes_of(load_scene(path), "example-1")


def test_the_table_leads_from_the_base_to_the_score(nodes) -> None:
    table = table_from_node(nodes.findings[ROLE + KEY])
    np.testing.assert_allclose(table["Reached"], [0.1628708, 0.1628708 + 0.1056, SCORE.score], rtol=1e-12)
    np.testing.assert_allclose(table["Raises"], [0, 0.1056, 0], rtol=1e-12)
    np.testing.assert_allclose(table["Lowers"], [0, 0, -0.4123], rtol=1e-12)
    assert table["Name"][1:] == [item.name for item in SCORE.contributions[1:]]
    assert table["Input"][0] == "base"


def test_the_chart_shows_what_raises_what_lowers_and_what_is_reached(nodes) -> None:
    chart = nodes.findings[f"{ROLE}-chart{KEY}"]
    series = [chart.GetNthPlotSeriesNode(place) for place in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [node.GetYColumnName() for node in series] == ["Raises", "Lowers", "Reached"]
    assert all(node.GetTableNode() is nodes.findings[ROLE + KEY] for node in series)
    kinds = slicer.vtkMRMLPlotSeriesNode
    assert [node.GetPlotType() for node in series] == [kinds.PlotTypeScatterBar] * 2 + [kinds.PlotTypeScatter]
    colours = {tuple(round(255 * part) for part in node.GetColor()) for node in series}
    assert len(colours) == 3
    assert chart.GetYAxisTitle() == "score"
    assert chart.GetTitle().startswith(SCORE.title)


def test_a_refused_score_has_no_waterfall(nodes) -> None:
    assert [role for role in nodes.findings if role.startswith(ROLE) and worked_example.REFUSED.package in role] == []


def test_adding_findings_again_replaces_the_waterfall(scene) -> None:
    findings = replace(worked_example.findings(), predictions=(SCORE,))
    nodes = add_findings(findings, add_case(worked_example.case()))
    before = scene.GetNumberOfNodes()
    add_findings(findings, nodes)
    assert scene.GetNumberOfNodes() == before


def test_many_inputs_end_in_one_step() -> None:
    steps = tuple(Step(f"x{place}", "", float(place)) for place in range(30))
    columns = waterfall_columns(Waterfall("t", "score", 1.0, "zero", steps, 1.0 + sum(range(30))), most=5)
    assert len(columns["Reached"]) == 6
    assert columns["Reached"][-1] == 1.0 + sum(range(30))
    assert columns["Input"][1] == "26 other inputs"
