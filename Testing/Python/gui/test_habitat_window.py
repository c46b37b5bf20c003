"""The window of HCCHabitat on the stand-in: every control, both ways; running, cancelling, handing over, reopening."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from window_steps import cells, choose, fill_in, tables, tick

from hccoutcome.habitat.facts import PackageFacts, read_facts
from hccoutcome.habitat.palette import habitat_colour


@pytest.fixture
def window(open_module, case_nodes):
    """The window with the small case chosen."""
    widget = open_module("HCCHabitat")
    fill_in(widget, case_nodes)
    return widget.window


@pytest.fixture
def ran(window, fake_worker, until):
    """The window after three habitats were found."""
    choose(window.ui.numberBox, "3")
    run(window, until)
    return window


def run(window, until):
    window.ui.applyButton.click()
    until(lambda: window.ui.applyButton.text == "Apply")


def phases(ui):
    return [(ui.phasesList.item(row).text(), ui.phasesList.item(row).checkState().value) for row in range(2)]


def in_scene(scene, role="habitats"):
    count = scene.GetNumberOfNodes()
    nodes = [scene.GetNthNode(index) for index in range(count)]
    return [node for node in nodes if (node.GetAttribute("HCC.role") or "").split(":")[0] == role]


# --- widgets and state --------------------------------------------------------------------------------------------


def test_widgets_write_the_state(window):
    ui, asked = window.ui, window.state.habitat
    assert (asked.method, asked.number, asked.criterion) == ("one-step", "automatic", "elbow")
    assert (asked.preparation, asked.features, asked.region) == ("by modality", "haic-mri", "tumor")
    tick(ui.phasesList, 0, on=False)
    choose(ui.regionBox, "liver")
    choose(ui.preparationBox, "ct")
    choose(ui.registrationBox, "deformable")
    ui.resampleBox.click()
    choose(ui.methodBox, "pooled")
    ui.packageFolder.currentPath = "/package"
    choose(ui.algorithmBox, "gmm")
    choose(ui.numberBox, "10")
    choose(ui.criterionBox, "gap")
    choose(ui.featuresBox, "none")
    asked = window.state.habitat
    assert list(asked.left_out) == ["arterial"]
    assert (asked.region, asked.preparation, asked.registration, asked.resample) == ("liver", "ct", "deformable", True)
    assert (asked.method, asked.package, asked.algorithm) == ("pooled", "/package", "gmm")
    assert (asked.number, asked.criterion, asked.features) == ("10", "gap", "none")


def test_the_state_writes_the_widgets(window):
    from hccoutcome.scene.parameters import CaseState

    script = CaseState(window.state.parameterNode)
    script.habitat.left_out = ["portal"]
    script.habitat.region = "liver"
    script.habitat.preparation, script.habitat.registration = "mri", "deformable"
    script.habitat.resample = True
    script.habitat.method, script.habitat.package = "two-step", "/elsewhere"
    script.habitat.algorithm, script.habitat.number = "gmm", "2"
    script.habitat.criterion, script.habitat.features = "silhouette", "prime"
    ui = window.ui
    assert phases(ui) == [("Arterial phase", 2), ("Portal venous phase", 0)]
    assert ui.resampleBox.checked
    texts = {name: getattr(ui, f"{name}Box").currentText for name in ("region", "preparation", "registration")}
    assert texts == {"region": "liver", "preparation": "mri", "registration": "deformable"}
    assert ui.packageFolder.currentPath == "/elsewhere"
    names = ("method", "algorithm", "number", "criterion", "features")
    assert [getattr(ui, f"{name}Box").currentText for name in names] == ["two-step", "gmm", "2", "silhouette", "prime"]


def test_the_numbers_to_choose_from_are_automatic_and_2_to_10(window):
    box = window.ui.numberBox
    assert [box.itemText(index) for index in range(box.count)] == ["automatic", *map(str, range(2, 11))]


def test_a_phase_is_listed_while_it_has_a_volume(window):
    ui = window.ui
    assert phases(ui) == [("Arterial phase", 2), ("Portal venous phase", 2)]
    ui.arterialSelector.setCurrentNode(None)
    assert ui.phasesList.count == 1


def test_only_what_has_an_effect_can_be_changed(window):
    ui = window.ui
    assert not ui.packageFolder.enabled
    assert ui.criterionBox.enabled
    assert not ui.registrationBox.enabled, "CT is not prepared by default"
    choose(ui.numberBox, "4")
    assert not ui.criterionBox.enabled
    choose(ui.preparationBox, "ct")
    assert ui.registrationBox.enabled
    choose(ui.methodBox, "two-step")
    assert ui.packageFolder.enabled


def test_the_modality_decides_on_the_preparation_until_the_user_does(window):
    ui = window.ui
    assert window.choice().preparation == "none"
    assert ui.planLabel.text.startswith("The images are taken as they are.")
    choose(ui.modalityBox, "MR")
    assert window.choice().preparation == "mri"
    assert "as published for MR" in ui.planLabel.text
    choose(ui.preparationBox, "none")
    assert window.choice().preparation == "none"


# --- ready or not -------------------------------------------------------------------------------------------------


def test_apply_waits_with_a_reason(open_module, case_nodes):
    window = open_module("HCCHabitat").window
    ui = window.ui
    assert (ui.applyButton.enabled, ui.readyLabel.text) == (False, "Choose the volume of at least one phase.")
    ui.portalSelector.setCurrentNode(case_nodes.images["portal"])
    assert ui.readyLabel.text == "Say which segment is the region 'tumor'."
    ui.segmentationSelector.setCurrentNode(case_nodes.segmentations[0])
    assert (ui.applyButton.enabled, ui.readyLabel.text) == (True, "")
    tick(ui.phasesList, 0, on=False)
    assert ui.readyLabel.text == "Tick at least one phase."
    tick(ui.phasesList, 0)
    case_nodes.segmentations[0].GetSegmentation().RemoveSegment("tumor")
    assert ui.readyLabel.text == "Say which segment is the region 'tumor'."
    assert not ui.applyButton.enabled


def test_a_package_says_what_it_decides_and_what_it_lacks(window, monkeypatch, tmp_path):
    from hccoutcome.gui import habitat_window

    ui = window.ui
    choose(ui.methodBox, "two-step")
    ui.packageFolder.currentPath = str(tmp_path)
    assert "is a folder with habitat-model.json, found none" in ui.readyLabel.text
    facts = PackageFacts("two-step", 4, ("portal",), 12, prepared=False)
    monkeypatch.setattr(habitat_window, "read_facts", lambda folder: facts)
    choose(ui.numberBox, "5")
    assert ui.applyButton.enabled
    assert "one of its 4 habitats (two-step, learnt from 12 patients in portal)" in ui.planLabel.text
    for name in ("numberBox", "criterionBox", "algorithmBox", "preparationBox", "registrationBox"):
        assert not getattr(ui, name).enabled, name
    tick(ui.phasesList, 1, on=False)
    assert "needs the portal venous phase too" in ui.readyLabel.text
    choose(ui.methodBox, "pooled")
    assert "was learnt by 'two-step': choose that method" in ui.readyLabel.text


def test_the_facts_of_a_package_are_those_of_its_model(tmp_path):
    from hccoutcome.habitat.learn import Patient, learn_model
    from hccoutcome.habitat.model import load_model, save_model
    from hccoutcome.habitat.settings import HabitatSettings

    draw = np.random.default_rng(0)
    images = {p: sitk.GetImageFromArray(draw.normal(size=(6, 7, 8))) for p in ("arterial", "portal")}
    mask = sitk.Cast(images["portal"] > -9, sitk.sitkUInt8)
    settings = HabitatSettings(method="two-step", k=3, k_range=(2, 3), repeats=0, supervoxels=9)
    save_model(learn_model([Patient("a", images, mask)], settings), tmp_path / "model")
    model = load_model(tmp_path / "model")
    facts = PackageFacts(model.settings.method, model.partition.k, model.phases, model.patients, prepared=False)
    assert read_facts(tmp_path / "model") == facts


# --- running ------------------------------------------------------------------------------------------------------


def test_the_job_is_what_was_chosen(window, fake_worker, until, tmp_path):
    from hccoutcome.habitat.settings import HabitatSettings

    ui = window.ui
    tick(ui.phasesList, 0, on=False)
    choose(ui.numberBox, "4")
    choose(ui.algorithmBox, "gmm")
    choose(ui.featuresBox, "none")
    choose(ui.preparationBox, "ct")
    ui.resampleBox.click()
    ui.outputFolder.currentPath = str(tmp_path)
    run(window, until)
    job = window.habitats.result.provenance["job"]
    assert list(job["case"]["images"]) == ["portal"]
    assert list(job["case"]["masks"]) == ["tumor"]
    assert job["case"].get("clinical", {}) == {}
    settings = HabitatSettings(k=4, algorithm="gmm", radiomics=None, resample=True)
    assert job["settings"] == settings.to_dict()
    assert (job["preparation"], job["registration"], job["package"]) == ("ct", "rigid", None)
    assert job["out"] == str(tmp_path / "P001" / "habitats")


def test_untouched_settings_are_those_of_the_command_line(window, fake_worker, until):
    from hccoutcome.habitat.settings import HabitatSettings

    run(window, until)
    job = window.habitats.result.provenance["job"]
    assert job["settings"] == HabitatSettings().to_dict()
    assert (job["preparation"], job["out"]) == ("none", None)


def test_the_result_is_shown_in_reading_order(ran, scene):
    ui = ran.ui
    assert ui.messageLabel.text.startswith("Done: 3 habitats, 6 features, ")
    assert ui.habitatsLabel.text.startswith("3 habitats in 'tumor' (0.4 mL) by k-means in arterial, portal")
    assert "A note." in ui.habitatsLabel.text
    assert [row[:4] for row in cells(ui.habitatsTable)] == [[str(number), "0.13", "33.3", "1"] for number in (1, 2, 3)]
    assert cells(ui.measuresTable) == [["Heterogeneity (ITH)", "0.25", "a meaning"]]
    names = [ui.tableBox.itemText(index) for index in range(ui.tableBox.count)]
    assert {"Habitats", "Habitats: measures", "Habitats: features", "Habitats: number"} <= set(names)


def test_each_row_bears_the_colour_of_its_segment(ran, scene):
    import qt

    (segmentation, *_) = in_scene(scene)
    for row in range(3):
        shown = ran.ui.habitatsTable.item(row, 0).data(qt.Qt.DecorationRole)
        colour = segmentation.GetSegmentation().GetSegment(f"habitat{row + 1}").GetColor()
        assert (shown.red(), shown.green(), shown.blue()) == habitat_colour(row + 1)
        assert tuple(round(255 * part) for part in colour) == habitat_colour(row + 1)


def test_the_map_lies_over_the_image_and_the_tumour_is_outlined(ran, scene, case_nodes):
    layers = scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert layers.GetBackgroundVolumeID() == case_nodes.images["portal"].GetID()
    (segmentation, *_) = in_scene(scene)
    assert not case_nodes.segmentations[0].GetDisplayNode().GetSegmentVisibility2DFill("tumor")
    assert segmentation.GetDisplayNode().GetVisibility()
    view = scene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    height = view.GetSliceToRAS().GetElement(2, 3)
    assert 3 <= height < 9, "an axial slice through the tumour"


def test_opacity_and_visibility_go_both_ways(ran, scene):
    (segmentation, *_) = in_scene(scene)
    display, ui = segmentation.GetDisplayNode(), ran.ui
    assert ui.opacitySlider.value == pytest.approx(display.GetOpacity2DFill())
    ui.opacitySlider.value = 0.9
    assert display.GetOpacity2DFill() == pytest.approx(0.9)
    display.SetOpacity2DFill(0.2)
    assert ui.opacitySlider.value == pytest.approx(0.2)
    ui.mapBox.click()
    assert not display.GetVisibility()
    display.SetVisibility(True)
    assert ui.mapBox.checked


def test_surfaces_are_made_when_asked_for(ran, scene):
    (segmentation, *_) = in_scene(scene)
    assert not segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    ran.ui.surfacesButton.click()
    assert segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    assert segmentation.GetDisplayNode().GetVisibility3D()


@pytest.fixture
def layout(scene):
    """The layout node with four views, as the application has it: the only one, which clearing the scene leaves."""
    import slicer

    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode") or scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    node.AddLayoutDescription(node.SlicerLayoutFourUpView, "<layout/>")
    node.AddLayoutDescription(node.SlicerLayoutFourUpPlotView, "<layout/>")
    node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    return node


def test_the_elbow_is_shown_beside_the_slices(layout, ran, scene):
    import slicer

    selection = slicer.app.applicationLogic().GetSelectionNode()
    selection.SetActivePlotChartID("")
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView, "a number that was asked for needs no elbow"
    ran.ui.elbowButton.click()
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpPlotView
    chart = scene.GetNodeByID(selection.GetActivePlotChartID())
    assert chart.GetName() == "Habitats: elbow"
    assert chart.GetNumberOfPlotSeriesNodes() == 2


def test_a_number_that_was_chosen_shows_its_elbow_at_once(layout, window, fake_worker, until):
    run(window, until)
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpPlotView


def test_running_again_replaces_what_was_found(ran, scene, until):
    old = in_scene(scene)
    count, names = scene.GetNumberOfNodes(), sorted(node.GetName() for node in tables(scene))
    choose(ran.ui.numberBox, "4")
    run(ran, until)
    assert all(node.GetScene() is None for node in old)
    assert scene.GetNumberOfNodes() == count
    assert sorted(node.GetName() for node in tables(scene)) == names
    (segmentation, *_) = in_scene(scene)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 4
    assert len(cells(ran.ui.habitatsTable)) == 4


def test_another_region_is_divided_whatever_its_segment_is_called(window, case_nodes, fake_worker, until):
    own = case_nodes.segmentations[0]
    own.GetSegmentation().GetSegment("liver").SetName("Foie")
    choose(window.ui.regionBox, "liver")
    run(window, until)
    assert "in 'liver'" in window.ui.habitatsLabel.text
    assert not own.GetDisplayNode().GetSegmentVisibility2DFill("liver")
    assert own.GetDisplayNode().GetSegmentVisibility2DFill("tumor")


# --- ends ---------------------------------------------------------------------------------------------------------


def assert_no_children():
    living = [p for p in psutil.Process().children(recursive=True) if "fake_worker" in " ".join(p.cmdline())]
    assert not living


def test_cancel_leaves_the_scene_and_the_older_habitats(ran, scene, fake_worker, until):
    fake_worker("slow")
    count, kept = scene.GetNumberOfNodes(), in_scene(scene)
    ran.ui.applyButton.click()
    until(lambda: ran.ui.messageLabel.text.startswith("Pretending..."))
    assert (ran.ui.applyButton.text, ran.ui.progressBar.value) == ("Cancel", 50)
    assert not ran.ui.featuresButton.enabled
    ran.ui.applyButton.click()
    assert (ran.ui.applyButton.text, ran.ui.messageLabel.text) == ("Apply", "Cancelled; the scene is as it was.")
    assert (scene.GetNumberOfNodes(), in_scene(scene)) == (count, kept)
    assert ran.ui.featuresButton.enabled
    assert_no_children()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("bad", "The mask of 'tumor' is empty: outline it."),
        ("crash", "The worker process ended unexpectedly"),
        ("nonsense", "The program failed (KeyError: 'region')"),
    ],
)
def test_a_worker_that_refuses_or_dies_leaves_the_scene_as_it_was(ran, scene, fake_worker, until, mode, words):
    fake_worker(mode)
    count, kept = scene.GetNumberOfNodes(), in_scene(scene)
    run(ran, until)
    assert ran.ui.messageLabel.text.startswith(words)
    assert (scene.GetNumberOfNodes(), in_scene(scene)) == (count, kept)
    assert ran.ui.applyButton.enabled
    assert len(cells(ran.ui.habitatsTable)) == 3, "what was found before is still shown"


def test_a_volume_under_a_transform_is_a_sentence_before_any_worker(window, fake_worker, case_nodes, scene):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Shift")
    case_nodes.images["portal"].SetAndObserveTransformNodeID(transform.GetID())
    window.ui.applyButton.click()
    assert "lies under the transform 'Shift'" in window.ui.messageLabel.text
    assert window.ui.applyButton.text == "Apply"


def test_closing_the_scene_ends_the_work(window, scene, fake_worker, until):
    fake_worker("slow")
    window.ui.applyButton.click()
    until(lambda: window.ui.messageLabel.text.startswith("Pretending..."))
    scene.Clear(0)
    assert not window.running
    assert_no_children()
    assert not window.ui.habitatResultsButton.visible
    assert (window.ui.applyButton.text, window.ui.applyButton.enabled) == ("Apply", False)


def test_a_segmentation_removed_meanwhile_does_no_harm(window, scene, case_nodes, fake_worker, until):
    window.ui.applyButton.click()
    scene.RemoveNode(case_nodes.segmentations[0])
    until(lambda: window.ui.applyButton.text == "Apply")
    assert window.ui.messageLabel.text.startswith("Done: 3 habitats")


def test_buttons_do_nothing_once_the_habitats_were_removed(ran, scene):
    for node in in_scene(scene):
        scene.RemoveNode(node)
    for button in (ran.ui.elbowButton, ran.ui.surfacesButton, ran.ui.crhButton):
        button.click()
    ran.refresh()
    assert ran.state.case.habitats is None
    assert not ran.ui.habitatResultsButton.isVisibleTo(ran.ui.habitatResultsButton.parent())


# --- features of whole regions ------------------------------------------------------------------------------------


def test_features_of_whole_regions_stay_beside_the_habitats(ran, scene, until):
    ui = ran.ui
    before = in_scene(scene)
    choose(ui.parameterFileBox, "haic-mri")
    ui.featuresButton.click()
    assert ui.applyButton.text == "Cancel"
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.messageLabel.text.startswith("Done: 2 features, ")
    assert in_scene(scene) == before
    assert cells(ui.resultsTable)[0][2] == "Look at this"
    assert ui.detailsLabel.text == "Look at it."
    assert ran.analysis.findings.provenance["masks"] == ["liver", "tumor"]
    run(ran, until)
    names = {node.GetName() for node in tables(scene)}
    assert {"Features", "Quality", "Habitats", "Habitats: features"} <= names


def test_features_wait_with_a_reason(open_module, case_nodes):
    ui = open_module("HCCHabitat").window.ui
    assert not ui.featuresButton.enabled
    assert ui.featuresButton.toolTip.startswith("Choose the volume of")
    ui.portalSelector.setCurrentNode(case_nodes.images["portal"])
    ui.segmentationSelector.setCurrentNode(case_nodes.segmentations[0])
    assert ui.featuresButton.enabled


# --- handing over and reopening -----------------------------------------------------------------------------------


def test_use_for_crh_hands_the_habitats_to_the_other_module(application, ran, open_module, case_nodes, until):
    ran.ui.crhButton.click()
    assert ran.ui.messageLabel.text.startswith("'Habitats' is handed over: open HCC Response")
    assert "without precontrast, delayed" in ran.ui.messageLabel.text
    response = open_module("HCCResponse").window
    ui = response.ui
    assert ui.habitatsSelector.currentNode() is ran.state.case.habitats
    assert list(response.state.response_models) == ["haic-mri-crh"]
    assert "Choose the volume of the phase before contrast" in ui.readyLabel.text
    regions = [
        (ui.regionsTable.item(row, 0).text(), ui.regionsTable.item(row, 1).text())
        for row in range(2, ui.regionsTable.rowCount)
    ]
    assert regions == [(f"Habitat {number}", f"habitat{number}") for number in (1, 2, 3)]
    assert response.scene_case().habitats is ran.state.case.habitats
    response.state.case.clinical = {"tumor_diameter": "5"}
    tick(ui.modelsList, 0)
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert response.analysis.findings.provenance["masks"] == ["habitat1", "habitat2", "habitat3", "liver", "tumor"]
    ui.habitatsSelector.setCurrentNode(None)
    assert ui.regionsTable.rowCount == 2
    assert response.scene_case().habitats is None


def test_the_score_is_ticked_once_and_other_ticks_stay(ran):
    ran.state.response_models = ["haic-mri-cr"]
    ran.ui.crhButton.click()
    ran.ui.crhButton.click()
    assert list(ran.state.response_models) == ["haic-mri-cr", "haic-mri-crh"]


def test_two_habitats_are_not_for_the_score(ran, until):
    choose(ran.ui.numberBox, "2")
    run(ran, until)
    assert not ran.ui.crhButton.enabled
    assert ran.ui.crhButton.toolTip == "The score reads 3 habitats, found 2: choose 3 and press Apply."


def test_habitats_found_anew_have_to_be_handed_over_anew(ran, until):
    ran.ui.crhButton.click()
    run(ran, until)
    assert ran.state.case.habitats is None


def test_a_habitat_outlined_twice_is_a_sentence(ran, open_module, case_nodes):
    ran.ui.crhButton.click()
    case_nodes.segmentations[0].GetSegmentation().GetSegment("liver").SetName("Habitat 1")
    response = open_module("HCCResponse").window
    choose(response.ui.regionsTable.cellWidget(1, 1), "habitat1")
    response.state.case.clinical = {"tumor_diameter": "5"}
    tick(response.ui.modelsList, 0)
    response.ui.applyButton.click()
    assert "The region 'habitat1' was expected once, found it in 'Regions" in response.ui.messageLabel.text


def test_only_habitats_are_offered_as_habitats(ran, open_module, case_nodes):
    response = open_module("HCCResponse").window
    assert response.ui.habitatsSelector.nodeCount() == 1
    assert response.ui.segmentationSelector.nodeCount() == 2


def test_a_saved_scene_opens_where_it_was(ran, scene, tmp_path):
    from hccoutcome.scene.store import load_scene, save_scene

    ran.ui.crhButton.click()
    ran.ui.opacitySlider.value = 0.8
    choose(ran.ui.criterionBox, "gap")
    tick(ran.ui.phasesList, 0, on=False)
    before = cells(ran.ui.habitatsTable), cells(ran.ui.measuresTable), ran.ui.habitatsLabel.text
    save_scene(tmp_path / "scene.mrb")
    scene.Clear(0)
    assert ran.ui.habitatsTable.rowCount == 3
    load_scene(tmp_path / "scene.mrb")
    ui = ran.ui
    assert (cells(ui.habitatsTable), cells(ui.measuresTable), ui.habitatsLabel.text) == before
    assert ui.opacitySlider.value == pytest.approx(0.8)
    assert (ui.numberBox.currentText, ui.criterionBox.currentText) == ("3", "gap")
    assert phases(ui)[0] == ("Arterial phase", 0)
    assert ran.state.case.habitats is in_scene(scene)[0]
    assert ui.applyButton.enabled
    hierarchy = scene.GetNodesByClass("vtkMRMLSubjectHierarchyNode").GetItemAsObject(0)
    parents = {
        hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
        for node in (in_scene(scene)[0], ran.state.case.segmentation)
    }
    assert len(parents) == 1, "beside the tumour"
