"""Where a case stands in a cohort, as tables and charts in a scene that was saved and opened again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer
import worked_example
from trained_packages import patient, prediction_of, train

from hccoutcome.case import Case
from hccoutcome.package.outlook import InputPlace, Outlook
from hccoutcome.package.reference import Distribution
from hccoutcome.scene.build import add_case, add_findings
from hccoutcome.scene.chart_view import PLOT_VIEW, charts_of, first_chart, open_with_chart
from hccoutcome.scene.exchange import table_from_node
from hccoutcome.scene.nodes import nodes_of
from hccoutcome.scene.outlook import CASE_CHART, GROUPS_CHART, INPUTS, INPUTS_CHART, ROLE, input_columns
from hccoutcome.scene.store import load_scene, save_scene


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = train(tmp_path_factory.mktemp("trained"), "cox-ridge", "os", "early")
    return prediction_of(folder, patient())


@pytest.fixture(autouse=True)
def no_layout_is_left():
    """A scene that is emptied keeps the nodes of its layout."""
    yield
    for kind in ("vtkMRMLLayoutNode", "vtkMRMLPlotViewNode"):
        for node in slicer.util.getNodesByClass(kind, slicer.mrmlScene):
            slicer.mrmlScene.RemoveNode(node)


@pytest.fixture
def nodes(scene, trained, tmp_path):
    """The case's nodes after saving with the first chart beside the images and reading back."""
    findings = replace(worked_example.findings(), predictions=(trained, worked_example.REFUSED))
    nodes = add_findings(findings, add_case(worked_example.case()))
    open_with_chart(scene, first_chart(findings, nodes))
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(True)
    return nodes_of(load_scene(path), "example-1")


def test_the_table_holds_the_curves_with_all_their_digits(nodes, trained):
    table, found = table_from_node(nodes.findings[f"{ROLE}:{trained.package}"]), trained.outlook.survival
    np.testing.assert_array_equal(table["Months"], found.months)
    np.testing.assert_array_equal(table["This case"], found.survival)
    np.testing.assert_array_equal(table["This case, lower limit"], found.lower)
    np.testing.assert_array_equal(table["High risk"], found.high.survival)
    np.testing.assert_array_equal(table["Low risk, upper limit"], found.low.upper)
    np.testing.assert_array_equal(table["Low risk, at risk"], found.low.at_risk)


def series_of(chart):
    return [chart.GetNthPlotSeriesNode(place) for place in range(chart.GetNumberOfPlotSeriesNodes())]


def test_the_chart_of_groups_draws_that_of_this_case_heaviest(nodes, trained):
    found = trained.outlook.survival
    series = series_of(nodes.findings[f"{GROUPS_CHART}:{trained.package}"])
    assert len(series) == 6
    own = max(series, key=lambda node: node.GetLineWidth())
    assert own.GetYColumnName() == found.group.capitalize()
    assert own.GetName() == f"{found.group} ({found.groups[found.group].cases} patients), this case"
    limits = [node for node in series if node.GetYColumnName().endswith("limit")]
    assert all(node.GetLineStyle() == node.LineStyleDash for node in limits)
    assert len(limits) == 4
    assert len({node.GetColor() for node in series}) == 2


def test_the_chart_of_survival_has_limits_and_runs_from_0_to_1(nodes, trained):
    chart = nodes.findings[f"{CASE_CHART}:{trained.package}"]
    columns = [node.GetYColumnName() for node in series_of(chart)]
    assert columns == ["This case", "This case, lower limit", "This case, upper limit"]
    low, high = chart.GetYAxisRange()
    assert (low, high, chart.GetYAxisRangeAuto()) == (0.0, 1.0, False)
    assert (chart.GetXAxisTitle(), chart.GetYAxisTitle()) == ("Months", "Overall survival")


def test_every_input_stands_at_its_percentile(nodes, trained):
    table = table_from_node(nodes.findings[f"{INPUTS}:{trained.package}"])
    known = trained.outlook.known_inputs
    assert table["Name"] == [item.name for item in known]
    np.testing.assert_array_equal(table["Place"], [item.percentile for item in known])
    np.testing.assert_array_equal(table["Value"], [item.value for item in known])
    series = series_of(nodes.findings[f"{INPUTS_CHART}:{trained.package}"])
    levels = [node.GetXColumnName() for node in series[:-1]]
    assert levels == ["5th percentile", "25th percentile", "50th percentile", "75th percentile", "95th percentile"]
    assert [table[name][0] for name in levels] == [5, 25, 50, 75, 95]
    assert series[-1].GetXColumnName() == "Place"
    assert series[-1].GetLineStyle() == series[-1].LineStyleNone


def test_inputs_without_quantiles_stand_by_deviations():
    place = InputPlace("age", 71.0, "years", Distribution(62.0, 9.0, 40.0, 85.0))
    columns = input_columns(Outlook("a cohort", 40, inputs=(place,)))
    assert list(columns["Place"]) == [1.0]
    assert [columns[name][0] for name in ("-2 SD", "-1 SD", "mean", "+1 SD", "+2 SD")] == [-2, -1, 0, 1, 2]


def test_the_results_table_puts_survival_beside_the_applicability(nodes, trained):
    table, found = table_from_node(nodes.findings["results"]), trained.outlook.survival
    assert table["Survival at 24 months"][0] == found.survival[24]
    assert table["Survival at 24 months, lower"][0] == found.lower[24]
    assert np.isnan(table["Survival at 24 months"][1])
    assert list(table["Applicability"]) == ["ok", "refused"]


def test_the_saved_scene_opens_with_the_risk_groups_beside_the_images(nodes, trained):
    scene = nodes.scene
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpPlotView
    view = scene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode")
    assert view.GetPlotChartNode() is nodes.findings[f"{GROUPS_CHART}:{trained.package}"]
    assert scene.GetNumberOfNodesByClass("vtkMRMLLayoutNode") == 1


def test_the_charts_of_a_package_come_in_reading_order(nodes, trained):
    assert list(charts_of(nodes, trained.package)) == [
        "Risk groups of the training cohort",
        "Survival for this score",
        "What the score is made of",
        "Inputs in the training cohort",
    ]
    assert list(charts_of(nodes, "albi")) == ["Contributions"]
    assert not charts_of(nodes, worked_example.REFUSED.package)


def test_adding_findings_again_replaces_everything(scene, trained):
    findings = replace(worked_example.findings(), predictions=(trained,))
    nodes = add_findings(findings, add_case(worked_example.case()))
    before = scene.GetNumberOfNodes()
    nodes = add_findings(findings, nodes)
    assert scene.GetNumberOfNodes() == before
    nodes = add_findings(replace(findings, predictions=()), nodes)
    assert not [role for role in nodes.findings if role.startswith(ROLE)]


def test_a_scene_without_a_chart_opens_with_the_images_alone(scene):
    nodes = add_case(worked_example.case())
    assert first_chart(worked_example.findings(), nodes) is None
    open_with_chart(scene, None)
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_a_case_of_a_record_alone_gets_its_tables(scene, trained, tmp_path):
    case = Case("record-only", {}, {}, {"alb": 38.2})
    findings = replace(worked_example.findings(), case_id="record-only", predictions=(trained,), features={})
    nodes = add_case(case)
    assert (nodes.images, nodes.segmentations) == ({}, ())
    add_findings(findings, nodes)
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(True)
    again = nodes_of(load_scene(path), "record-only")
    assert {"results", "clinical", "provenance", f"{ROLE}:{trained.package}"} <= set(again.findings)
