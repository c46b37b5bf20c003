"""Results that stand beside a case that was changed since: the window says so, and draws no report of the two."""

from __future__ import annotations

import numpy as np
import pytest
from window_steps import fill_in


@pytest.fixture
def applied(open_module, case_nodes, fake_worker, until):
    """HCC Survival with the results of a case."""
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    assert widget.window.ui.resultsMessage.text == ""
    return widget


def draw(widget, case_nodes):
    """Change a voxel of the tumour, as the Segment Editor does."""
    import slicer

    segmentation, volume = case_nodes.segmentations[0], case_nodes.images["portal"]
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "tumor", volume)
    mask[5, 5, 5] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, "tumor", volume)


def fill(widget, case_nodes):
    """Change the voxels of an image, as a filter does."""
    import slicer

    slicer.util.updateVolumeFromArray(case_nodes.images["portal"], np.zeros((12, 24, 24), np.int16))


CHANGES = {
    "another name": lambda widget, nodes: setattr(widget.window.ui.caseIdEdit, "text", "P002"),
    "a volume less": lambda widget, nodes: widget.window.ui.arterialSelector.setCurrentNode(None),
    "another record": lambda widget, nodes: setattr(widget.window.state.case, "clinical", {"alb": "20"}),
    "a removed segment": lambda widget, nodes: nodes.segmentations[0].GetSegmentation().RemoveSegment("tumor"),
    "another outline": draw,
    "other voxels": fill,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_results_of_a_case_that_was_changed_are_called_so(change, application, applied, case_nodes, until):
    ui = applied.window.ui
    change(applied, case_nodes)
    # Whoever changes voxels does so in another module.
    application.leave(applied)
    application.enter(applied)
    assert "was changed since these results were computed: press Apply" in ui.resultsMessage.text
    ui.reportButton.click()
    assert "was changed since" in ui.messageLabel.text
    assert not applied.logic.report.running


def test_looking_at_other_modules_and_other_colours_changes_nothing(application, applied, case_nodes):
    application.leave(applied)
    case_nodes.segmentations[0].GetSegmentation().GetSegment("tumor").SetColor(1, 0, 0)
    case_nodes.images["portal"].GetDisplayNode().SetWindowLevel(10, 10)
    application.enter(applied)
    assert applied.window.ui.resultsMessage.text == ""


def test_applying_anew_takes_the_words_away(applied, until):
    ui = applied.window.ui
    applied.window.state.case.clinical = {"alb": "20"}
    assert ui.resultsMessage.text
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.resultsMessage.text == ""


def test_a_case_that_is_changed_during_the_work_has_outdated_results(open_module, case_nodes, fake_worker, until):
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    until(lambda: not widget.logic.analysis.handing_over)
    widget.window.ui.caseIdEdit.text = "P002"
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    assert widget.window.ui.resultsMessage.text


def test_the_report_of_a_reopened_scene_asks_for_apply(scene, applied, tmp_path):
    from hccoutcome.scene.store import load_scene, save_scene

    save_scene(tmp_path / "scene.mrb")
    scene.Clear(0)
    load_scene(tmp_path / "scene.mrb")
    ui = applied.window.ui
    assert ui.resultsTable.rowCount == 1
    ui.reportButton.click()
    assert "press Apply first" in ui.messageLabel.text


def test_nothing_is_said_of_results_that_went_with_their_scene(scene, applied):
    ui = applied.window.ui
    assert ui.messageLabel.text.startswith("Done")
    scene.Clear(0)
    assert (ui.messageLabel.text, ui.messageLabel.isHidden()) == ("", True)
    assert ui.resultsTable.rowCount == 0


# --- habitats ------------------------------------------------------------------------------------------------------


@pytest.fixture
def divided(open_module, case_nodes, fake_worker, until):
    """HCC Habitat with the habitats of a case, found on one of its two phases."""
    widget = open_module("HCCHabitat")
    fill_in(widget, case_nodes)
    widget.window.state.habitat.left_out = ["arterial"]
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    assert widget.window.ui.habitatResultsButton.isVisibleTo(widget.parent)
    assert widget.window.ui.habitatResultsMessage.text == ""
    return widget


@pytest.mark.parametrize("change", [draw, fill], ids=["another outline", "other voxels"])
def test_habitats_of_a_region_that_was_changed_are_called_so(change, application, divided, case_nodes):
    change(divided, case_nodes)
    application.leave(divided)
    application.enter(divided)
    assert "was changed since these results were computed" in divided.window.ui.habitatResultsMessage.text


def test_habitats_stand_whatever_becomes_of_what_they_were_not_made_of(divided):
    ui = divided.window.ui
    divided.window.state.case.clinical = {"alb": "20"}
    ui.arterialSelector.setCurrentNode(None)
    assert ui.habitatResultsMessage.text == ""
