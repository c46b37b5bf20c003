"""Automatic outlines in the windows: from what a person points at to a draft that is accepted, edited or rejected."""

from __future__ import annotations

import json

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from window_steps import choose, fill_in

MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")


@pytest.fixture(params=MODULES)
def widget(request, open_module, case_nodes, fake_worker):
    """A window with the small case chosen."""
    widget = open_module(request.param)
    fill_in(widget, case_nodes)
    return widget


@pytest.fixture
def survival(open_module, case_nodes, fake_worker):
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    return widget


def draw_box(scene, name="R"):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
    node.SetCenter(-10.0, -10.0, 6.0)
    node.SetSize(8.0, 8.0, 6.0)
    return node


def outline(widget, until, region="All treated tumours together", node=None):
    """Outline a region and wait for the draft."""
    ui = widget.window.ui
    choose(ui.outlineRegionBox, region)
    ui.promptSelector.setCurrentNode(node)
    assert ui.outlineApplyButton.enabled, ui.outlineReadyLabel.text
    ui.outlineApplyButton.click()
    assert ui.outlineApplyButton.text == "Cancel"
    until(lambda: ui.outlineApplyButton.text == "Outline")


def segments(node):
    return {key: node.GetSegmentation().GetSegment(key) for key in node.GetSegmentation().GetSegmentIDs()}


def drafts(case_id="P001"):
    from hccoutcome.scene.drafts import drafts_in

    return {draft.region: draft for draft in drafts_in(case_id)}


def test_nothing_is_shown_of_drafts_where_there_are_none(widget):
    ui = widget.window.ui
    for control in (ui.draftsTable, ui.acceptButton, ui.editButton, ui.rejectButton):
        assert not control.isVisibleTo(widget.parent)


def test_the_region_is_pointed_at_by_a_markup_of_the_scene(scene, widget):
    ui = widget.window.ui
    assert "press a button below and draw it" in ui.outlineReadyLabel.text
    assert not ui.outlineApplyButton.enabled
    ui.boxButton.click()
    chosen = ui.promptSelector.currentNode()
    assert (chosen.GetClassName(), chosen.GetName()) == ("vtkMRMLMarkupsROINode", "Box: tumor")
    assert widget.window.state.outline.prompt is chosen
    assert "Nothing is drawn in 'Box: tumor' yet" in ui.outlineReadyLabel.text
    chosen.SetCenter(-10.0, -10.0, 6.0)
    chosen.SetSize(8.0, 8.0, 6.0)
    assert ui.outlineApplyButton.enabled, "as soon as it is drawn"
    ui.clicksButton.click()
    points = ui.promptSelector.currentNode()
    assert points.GetClassName() == "vtkMRMLMarkupsFiducialNode"
    points.AddControlPoint(-10.0, -10.0, 6.0)
    assert ui.outlineApplyButton.enabled
    ui.strokeButton.click()
    assert ui.promptSelector.currentNode().GetClassName() == "vtkMRMLMarkupsCurveNode"


def test_a_new_markup_takes_the_next_click_in_a_slice_view(scene, widget):
    import slicer

    widget.window.ui.clicksButton.click()
    assert slicer.modules.markups.logic().GetActiveListID() == widget.window.ui.promptSelector.currentNode().GetID()
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.Place


def test_the_choice_is_kept_in_the_state_and_followed(scene, widget):
    ui, state = widget.window.ui, widget.window.state
    choose(ui.outlineRegionBox, "Liver, the tumours included")
    choose(ui.outlinePhaseBox, "the arterial phase")
    choose(ui.engineBox, "Built-in (no weights)")
    assert (state.outline.region, state.outline.phase, state.outline.engine) == ("liver", "arterial", "builtin")
    assert ui.engineMessage.text.startswith("Ready. Licence: Apache-2.0")
    state.outline.region, state.outline.engine = "tumor", "auto"
    assert ui.outlineRegionBox.currentText == "All treated tumours together"
    assert ui.engineBox.currentText == "automatic"


def test_an_engine_that_is_not_ready_names_the_one_step(scene, widget, monkeypatch, tmp_path):
    monkeypatch.setenv("HCC_ENGINES", str(tmp_path / "none.json"))
    monkeypatch.setenv("PATH", str(tmp_path))
    widget.window.outlining.look_again()
    ui = widget.window.ui
    choose(ui.outlineRegionBox, "Liver, the tumours included")
    choose(ui.engineBox, "TotalSegmentator")
    assert ui.engineMessage.text.startswith("Not ready: ")
    assert not ui.outlineApplyButton.enabled


def test_a_draft_arrives_beside_the_case_with_its_own_name_colour_and_attribute(scene, widget, until, case_nodes):
    from hccoutcome.scene.drafts import DRAFT_COLOUR
    from hccoutcome.scene.nodes import CASE, ROLE
    from hccoutcome.scene.review import REVIEW_TAG, is_draft, tag_of

    outline(widget, until, node=draw_box(scene))
    draft = drafts()["tumor"]
    node = draft.segmentation
    assert (node.GetName(), node.GetAttribute(CASE), node.GetAttribute(ROLE)) == (
        "Draft: Tumour",
        "P001",
        "draft:tumor",
    )
    assert is_draft(node)
    segment = segments(node)["tumor"]
    assert segment.GetName() == "Tumour (draft)"
    assert segment.GetColor() == pytest.approx(DRAFT_COLOUR)
    assert tag_of(segment, REVIEW_TAG) == "automatic, not reviewed"
    assert draft.record["engine"] == "builtin"
    assert draft.record["image"] == case_nodes.images["portal"].GetName()
    ui = widget.window.ui
    assert [ui.draftsTable.item(0, column).text() for column in range(3)] == [
        "All treated tumours together",
        "builtin 9",
        f"{4 * 8 * 8 / 1000:.1f}",
    ]
    assert "look at every slice before you accept it" in ui.draftLabel.text
    assert "Pieces 2: Remove the pieces." in ui.draftLabel.text
    assert set(segments(case_nodes.segmentations[0])) == {"tumor", "liver"}, "the case's own stays as it is"


def test_the_worker_gets_the_phase_first_and_what_was_drawn(scene, survival, until, case_nodes):
    choose(survival.window.ui.outlinePhaseBox, "the arterial phase")
    outline(survival, until, node=draw_box(scene))
    job = drafts()["tumor"].record["job"]
    assert list(job["case"]["images"]) == ["arterial", "portal"]
    assert set(job["case"]["masks"]) == {"liver"}, "other regions help"
    assert job["case"]["clinical"] == {}
    assert job["order"]["roi"].endswith("prompt.mrk.json")
    assert job["order"]["engine"] == "auto"


def test_an_accepted_draft_becomes_a_segment_of_the_case_with_its_source(scene, widget, until, case_nodes):
    from hccoutcome.scene.review import REVIEW_TAG, SOURCE_TAG, records_of, tag_of
    from hccoutcome.segmentation.appearance import appearance

    ui, state = widget.window.ui, widget.window.state
    before = {node: scene.GetNumberOfNodesByClass(node) for node in ("vtkMRMLSegmentationNode",)}
    outline(widget, until, node=draw_box(scene))
    ui.acceptButton.click()
    assert drafts() == {}
    assert {node: scene.GetNumberOfNodesByClass(node) for node in before} == before
    canonical = case_nodes.segmentations[0]
    assert state.case.segmentation is canonical
    found = segments(canonical)
    (key,) = set(found) - {"tumor", "liver"}
    assert found[key].GetName() == "Tumour 2"
    assert found[key].GetColor() == pytest.approx(appearance("tumor").colour)
    assert found[key].GetTerminology() == appearance("tumor").terminology
    assert tag_of(found[key], REVIEW_TAG) == "accepted by a person"
    assert tag_of(found[key], SOURCE_TAG) == "builtin 9"
    assert dict(state.case.regions)[key] == "tumor"
    record = records_of(canonical)[key]
    assert (record["engine"], record["version"], record["weights"]) == ("builtin", "9", {"w.pth": "ab"})
    assert record["edits"]["edited"] is False
    assert record["review"] == "accepted by a person"
    assert ui.outlineMessageLabel.text == f"Accepted as 'Tumour 2' of '{canonical.GetName()}'."
    assert not ui.draftsTable.isVisibleTo(widget.parent)


def test_without_a_segmentation_one_is_made_on_the_voxels_of_the_image(scene, survival, until, case_nodes):
    ui, state = survival.window.ui, survival.window.state
    ui.segmentationSelector.setCurrentNode(None)
    outline(survival, until, "Liver, the tumours included")
    ui.acceptButton.click()
    made = state.case.segmentation
    assert made is not None and made is not case_nodes.segmentations[0]
    assert ui.segmentationSelector.currentNode() is made
    assert list(segments(made)) == ["liver"]
    reference = made.GetNodeReference(made.GetReferenceImageGeometryReferenceRole())
    assert reference is case_nodes.images["portal"]
    assert dict(state.case.regions) == {"liver": "liver"}


def test_an_accepted_mask_has_the_very_voxels_of_the_draft(scene, survival, until, case_nodes):
    from hccoutcome.scene.exchange import mask_from_segment

    outline(survival, until, node=draw_box(scene))
    volume = case_nodes.images["portal"]
    before = sitk.GetArrayFromImage(mask_from_segment(drafts()["tumor"].segmentation, "tumor", volume))
    survival.window.ui.acceptButton.click()
    canonical = case_nodes.segmentations[0]
    (key,) = set(segments(canonical)) - {"tumor", "liver"}
    after = sitk.GetArrayFromImage(mask_from_segment(canonical, key, volume))
    np.testing.assert_array_equal(after, before)
    expected = np.zeros((12, 24, 24), bool)
    expected[4:8, 8:16, 8:16] = True
    np.testing.assert_array_equal(after != 0, expected)


def test_another_liver_takes_the_place_of_the_first_which_stays(scene, survival, until, case_nodes):
    outline(survival, until, "Liver, the tumours included")
    survival.window.ui.acceptButton.click()
    regions = dict(survival.window.state.case.regions)
    assert regions["liver"] == ""
    assert sorted(value for value in regions.values() if value) == ["liver", "tumor"]
    assert len(segments(case_nodes.segmentations[0])) == 3


def test_a_rejected_draft_is_gone_and_nothing_else(scene, widget, until):
    before = scene.GetNumberOfNodes()
    box = draw_box(scene)
    added = scene.GetNumberOfNodes() - before
    outline(widget, until, node=box)
    widget.window.ui.rejectButton.click()
    assert drafts() == {}
    assert scene.GetNumberOfNodes() == before + added
    assert widget.window.ui.outlineMessageLabel.text == "Rejected; the draft is gone."


def test_a_second_draft_of_a_region_replaces_the_first_and_another_region_waits_beside_it(scene, survival, until):
    box = draw_box(scene)
    outline(survival, until, node=box)
    outline(survival, until, node=box)
    outline(survival, until, "Liver, the tumours included")
    assert set(drafts()) == {"tumor", "liver"}
    ui = survival.window.ui
    assert ui.draftsTable.rowCount == 2
    titles = [ui.draftsTable.item(row, 0).text() for row in range(2)]
    ui.draftsTable.setCurrentCell(titles.index("All treated tumours together"), 0)
    ui.rejectButton.click()
    assert set(drafts()) == {"liver"}


def test_edit_opens_the_segment_editor_on_the_draft_and_the_edit_is_noted(
    scene, open_module, case_nodes, fake_worker, until, monkeypatch
):
    import slicer

    from hccoutcome.scene.review import records_of

    shown = []
    monkeypatch.setattr(slicer.util, "selectModule", shown.append)
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    outline(widget, until, node=draw_box(scene))
    widget.window.ui.editButton.click()
    assert shown == ["SegmentEditor"]
    editor = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    draft = drafts()["tumor"]
    assert editor.GetSegmentationNode() is draft.segmentation
    assert editor.GetSourceVolumeNode() is case_nodes.images["portal"]
    assert editor.GetSelectedSegmentID() == "tumor"
    erase_slice(draft.segmentation)
    assert draft.edited
    widget.window.ui.acceptButton.click()
    canonical = case_nodes.segmentations[0]
    (key,) = set(segments(canonical)) - {"tumor", "liver"}
    record = records_of(canonical)[key]
    assert record["review"] == "edited by a person"
    assert record["edits"] == {"edited": True, "volume_ml_before": 0.256, "volume_ml_after": 0.192}


def erase_slice(node):
    """Take the first slice of a draft away, as an editor does."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    labelmap = node.GetSegmentation().GetSegment("tumor").GetRepresentation("Binary labelmap")
    array = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(labelmap.GetDimensions()[::-1])
    array[0] = 0
    labelmap.Modified()


def test_a_draft_that_was_emptied_cannot_be_accepted(scene, survival, until):
    from vtkmodules.util.numpy_support import vtk_to_numpy

    outline(survival, until, node=draw_box(scene))
    labelmap = drafts()["tumor"].segmentation.GetSegmentation().GetSegment("tumor").GetRepresentation("Binary labelmap")
    vtk_to_numpy(labelmap.GetPointData().GetScalars())[:] = 0
    survival.window.ui.acceptButton.click()
    assert "found none: reject it" in survival.window.ui.outlineMessageLabel.text
    assert set(drafts()) == {"tumor"}


# --- what was not accepted takes no part ---------------------------------------------------------------------------


def test_a_draft_takes_no_part_in_an_analysis(scene, survival, until):
    outline(survival, until, node=draw_box(scene))
    ui = survival.window.ui
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    findings = survival.logic.analysis.findings
    assert findings.provenance["masks"] == ["liver", "tumor"]
    assert set(drafts()) == {"tumor"}, "it still waits"


def test_a_draft_chosen_as_the_segmentation_is_refused_until_it_is_accepted(scene, widget, until, case_nodes):
    outline(widget, until, node=draw_box(scene))
    ui = widget.window.ui
    ui.segmentationSelector.setCurrentNode(drafts()["tumor"].segmentation)
    assert not ui.applyButton.enabled
    assert ui.readyLabel.text == "The segmentation is a draft: accept it, or choose another."
    assert ui.regionsMessage.text == "This segmentation is a draft: accept it below, or choose another."


def test_a_segment_that_came_as_a_draft_in_a_file_waits_to_be_accepted(scene, widget, case_nodes, tmp_path):
    """What ``hcc segment`` writes and the application opens."""
    from hccoutcome.scene.review import REVIEW_TAG, SOURCE_TAG, records_of, unreviewed

    ui, node = widget.window.ui, case_nodes.segmentations[0]
    segment = segments(node)["tumor"]
    segment.SetTag(REVIEW_TAG, "automatic, not reviewed")
    segment.SetTag(SOURCE_TAG, "builtin 1.0")
    widget.window.refresh()
    assert not ui.applyButton.enabled
    assert "'Tumour': automatic and not accepted" in ui.regionsMessage.text
    assert [ui.draftsTable.item(0, column).text() for column in range(2)] == ["Tumour", "builtin 1.0"]
    refused = ui.readyLabel.text
    assert refused == "A segment is automatic and not accepted: accept it, or set it to 'not used'."
    ui.acceptButton.click()
    assert unreviewed(node) == ()
    assert records_of(node)["tumor"]["engine"] == "builtin 1.0"
    assert ui.readyLabel.text != refused
    assert ui.regionsMessage.text == ""


def test_a_script_cannot_analyse_what_nobody_accepted(scene, survival, until):
    from dataclasses import replace

    from hccoutcome.errors import InputError
    from hccoutcome.scene.inputs import write_case

    outline(survival, until, node=draw_box(scene))
    case = survival.window.scene_case()
    wrong = replace(case, segmentation=drafts()["tumor"].segmentation, segments={"tumor": ("tumor",)})
    with pytest.raises(InputError, match="found an automatic draft: look at every slice and accept it"):
        write_case(wrong, None)


def test_who_outlined_a_region_stands_in_the_provenance_of_an_analysis(scene, survival, until, tmp_path):
    from hccoutcome.scene.inputs import outlined_by

    outline(survival, until, node=draw_box(scene))
    survival.window.ui.acceptButton.click()
    (record,) = outlined_by(survival.window.scene_case())["tumor"]
    assert record["engine"] == "builtin"


# --- saved, closed, cancelled --------------------------------------------------------------------------------------


def test_a_draft_and_what_was_accepted_survive_saving(scene, survival, until, tmp_path):
    from hccoutcome.scene.review import records_of
    from hccoutcome.scene.store import load_scene, save_scene

    ui = survival.window.ui
    outline(survival, until, node=draw_box(scene))
    ui.acceptButton.click()
    outline(survival, until, "Liver, the tumours included")
    accepted = records_of(survival.window.state.case.segmentation)
    save_scene(tmp_path / "scene.mrb")
    scene.Clear(0)
    assert drafts() == {}
    load_scene(tmp_path / "scene.mrb")
    state = survival.window.state
    assert records_of(state.case.segmentation) == accepted
    draft = drafts()["liver"]
    assert not draft.edited, "the same voxels after reading"
    assert ui.draftsTable.rowCount == 1
    assert state.outline.region == "liver"
    ui.acceptButton.click()
    assert "liver" in dict(state.case.regions).values()


def test_cancel_ends_the_engine_and_leaves_the_scene(scene, survival, until, fake_worker):
    fake_worker("slow")
    ui = survival.window.ui
    box = draw_box(scene)
    before = scene.GetNumberOfNodes()
    ui.promptSelector.setCurrentNode(box)
    ui.outlineApplyButton.click()
    assert not ui.applyButton.enabled
    assert ui.readyLabel.text == "Other work of this window is under way: wait for it or cancel it."
    until(lambda: ui.outlineMessageLabel.text.startswith("Pretending"))
    assert ui.outlineBar.value == 50
    ui.outlineApplyButton.click()
    assert ui.outlineMessageLabel.text == "Cancelled; the scene is as it was."
    assert scene.GetNumberOfNodes() == before
    assert not [c for c in psutil.Process().children(recursive=True) if "fake_worker" in " ".join(c.cmdline())]
    assert ui.applyButton.enabled


def test_an_engine_that_crashes_is_reported_and_leaves_the_scene(scene, survival, until, fake_worker):
    fake_worker("crash")
    ui = survival.window.ui
    box = draw_box(scene)
    before = scene.GetNumberOfNodes()
    outline(survival, until, node=box)
    assert "ended unexpectedly" in ui.outlineMessageLabel.text
    assert scene.GetNumberOfNodes() == before


def test_the_sentence_of_an_engine_stands_in_its_own_panel(scene, survival, until, fake_worker):
    fake_worker("bad")
    outline(survival, until, node=draw_box(scene))
    assert survival.window.ui.outlineMessageLabel.text == "The mask of 'tumor' is empty: outline it."
    assert survival.window.ui.messageLabel.text == ""


def test_an_image_that_was_removed_meanwhile_is_a_sentence(scene, survival, until, case_nodes):
    ui = survival.window.ui
    ui.promptSelector.setCurrentNode(draw_box(scene))
    ui.outlineApplyButton.click()
    scene.RemoveNode(case_nodes.images["portal"])
    until(lambda: ui.outlineApplyButton.text == "Outline")
    assert "is no longer in the scene" in ui.outlineMessageLabel.text
    assert drafts() == {}


def test_closing_the_scene_ends_the_engine(scene, survival, until, fake_worker):
    fake_worker("slow")
    ui = survival.window.ui
    ui.promptSelector.setCurrentNode(draw_box(scene))
    ui.outlineApplyButton.click()
    until(lambda: ui.outlineMessageLabel.text.startswith("Pretending"))
    scene.Clear(0)
    assert not survival.logic.segmentation.running
    assert not [c for c in psutil.Process().children(recursive=True) if "fake_worker" in " ".join(c.cmdline())]


def test_a_draft_made_in_one_module_waits_in_the_others(application, scene, open_module, survival, until):
    outline(survival, until, node=draw_box(scene))
    application.leave(survival)
    response = open_module("HCCResponse")
    assert response.window.ui.draftsTable.rowCount == 1
    response.window.ui.acceptButton.click()
    assert "tumor" in dict(response.window.state.case.regions).values()


def test_the_provenance_of_drafts_is_plain_json(scene, survival, until):
    outline(survival, until, node=draw_box(scene))
    assert json.loads(json.dumps(drafts()["tumor"].record))


@pytest.mark.parametrize("text", ["", "not json", "{}", "[]", '{"provenance": {}, "hints": 1}'])
def test_a_draft_whose_record_is_damaged_does_not_stop_the_window(scene, survival, until, text):
    outline(survival, until, node=draw_box(scene))
    node = drafts()["tumor"].segmentation
    from hccoutcome.scene.nodes import nodes_of

    nodes_of(scene, "P001").findings["draft-record:tumor"].SetText(text)
    survival.window.refresh()
    assert drafts() == {}
    assert not survival.window.ui.draftsTable.isVisibleTo(survival.parent)
    survival.window.ui.segmentationSelector.setCurrentNode(node)
    assert "is a draft" in survival.window.ui.readyLabel.text, "it is used for nothing all the same"


def test_damaged_records_of_outlines_are_a_sentence_and_change_nothing(scene, survival, until, case_nodes):
    from hccoutcome.scene.review import RECORDS

    node = case_nodes.segmentations[0]
    outline(survival, until, node=draw_box(scene))
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", "Who")
    text.SetText("not json")
    node.SetNodeReferenceID(RECORDS, text.GetID())
    before = set(segments(node))
    ui = survival.window.ui
    ui.acceptButton.click()
    assert ui.outlineMessageLabel.text.startswith("'Who' should say who outlined the segments of")
    assert set(segments(node)) == before
    assert set(drafts()) == {"tumor"}
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.messageLabel.text.startswith("'Who' should say who outlined")


def test_a_draft_that_waits_under_another_name_of_the_case_is_told(scene, survival, until):
    outline(survival, until, node=draw_box(scene))
    ui = survival.window.ui
    assert ui.regionsMessage.text == ""
    ui.caseIdEdit.text = "P002"
    assert not ui.draftsTable.isVisibleTo(survival.parent)
    assert ui.regionsMessage.text.startswith("A draft on these volumes waits under the case name 'P001'")
    ui.caseIdEdit.text = "P001"
    assert ui.regionsMessage.text == ""
    assert ui.draftsTable.isVisibleTo(survival.parent)
