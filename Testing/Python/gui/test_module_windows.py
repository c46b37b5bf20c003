"""The three windows on the stand-in: built, filled in, ready or not, running, cancelled, closed, switched."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from text_fits import cut_texts
from window_steps import fill_in, tables, tick

from hccoutcome.gui import work

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")


def type_value(ui, title, text):
    """Type a value into the row of a variable."""
    for row in range(ui.clinicalTable.rowCount):
        if ui.clinicalTable.item(row, 0).text() == title:
            ui.clinicalTable.item(row, 1).setText(text)
            return
    raise AssertionError(f"there is no row {title}")


def expected_of(ui, title):
    """What stands beside the value of a variable."""
    rows = [row for row in range(ui.clinicalTable.rowCount) if ui.clinicalTable.item(row, 0).text() == title]
    return ui.clinicalTable.item(rows[0], 3).text()


def state_of(widget):
    return widget.logic.getParameterNode()


@pytest.fixture
def large_font(application):
    """The application's font at 125 %."""
    import slicer

    usual = slicer.app.font()
    font = slicer.app.font()
    font.setPointSizeF(1.25 * usual.pointSizeF())
    slicer.app.setFont(font)
    yield
    slicer.app.setFont(usual)


# --- built --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_the_module_loads_and_its_window_is_built(name, application, open_module):
    import slicer

    ui = open_module(name).window.ui
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Apply", False)
    parent = getattr(slicer.modules, name.lower())
    assert parent.title and parent.helpText and parent.acknowledgementText and parent.contributors
    assert parent.categories == ["Quantification"]
    assert "not a medical device" in parent.helpText


UI_FILES = (
    *(ROOT / name / "Resources" / "UI" / f"{name}.ui" for name in MODULES),
    *(
        ROOT / "Resources" / "UI" / f"{name}.ui"
        for name in ("HCCCase", "HCCSegmentation", "HCCClinical", "HCCNetworks")
    ),
)


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_the_ui_file_is_complete(path):
    root = ElementTree.parse(path).getroot()
    widgets = {element.get("name"): element for element in root.iter("widget")}
    controls = {
        key: element
        for key, element in widgets.items()
        if element.get("class") not in ("QLabel", "qMRMLWidget", "ctkCollapsibleButton", "QProgressBar")
    }
    for key, element in controls.items():
        assert element.find("property[@name='toolTip']/string") is not None, f"{key} has no tooltip"
    connected = {element.findtext("receiver") for element in root.iter("connection")}
    assert connected == {key for key, element in widgets.items() if element.get("class") == "qMRMLNodeComboBox"}
    assert [element.text for element in root.iter("tabstop")] == list(controls), "in reading order"


def files_of_window(module):
    """The .ui files of a module's window: its own and those that it shares."""
    return (module, *(UI_FILES[3:-1] if module.stem == "HCCHabitat" else UI_FILES[3:]))


@pytest.mark.parametrize("module", UI_FILES[:3], ids=lambda path: path.stem)
def test_one_name_is_one_widget(module):
    """The window finds its widgets by their names."""
    roots = [ElementTree.parse(path).getroot() for path in files_of_window(module)]
    names = [element.get("name") for root in roots for element in root.iter("widget")]
    assert len(names) == len(set(names)), sorted(name for name in set(names) if names.count(name) > 1)


@pytest.mark.parametrize("module", UI_FILES[:3], ids=lambda path: path.stem)
def test_the_tab_key_goes_through_the_window_from_the_top(module, open_module):
    own, *shared = files_of_window(module)
    order = [*shared[:3], own, *shared[3:]]
    stops = [element.text for path in order for element in ElementTree.parse(path).getroot().iter("tabstop")]
    ui = open_module(module.stem).window.ui
    widget, found = ui.caseIdEdit, []
    while True:
        name = widget.objectName if isinstance(widget.objectName, str) else widget.objectName()
        found += [name] if name in stops else []
        widget = widget.nextInFocusChain()
        if widget is ui.caseIdEdit:
            break
    assert found == stops


@pytest.mark.parametrize("module", UI_FILES[:3], ids=lambda path: path.stem)
def test_one_key_leads_to_one_field(module):
    texts = [text for path in files_of_window(module) for text in ElementTree.parse(path).getroot().itertext()]
    keys = [text[text.index("&") + 1].upper() for text in texts if "&" in text and not text.startswith("& ")]
    assert len(keys) == len(set(keys)), sorted(keys)


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_the_colours_are_those_of_the_theme(path):
    """Light or dark: no widget has colours or a style sheet of its own."""
    names = {element.get("name") for element in ElementTree.parse(path).getroot().iter("property")}
    assert not names & {"styleSheet", "palette"}


@pytest.mark.parametrize("name", MODULES)
def test_no_text_is_cut_at_a_larger_font(name, application, open_module, case_nodes, fake_worker, until, large_font):
    """At 125 % and the width of Slicer's module panel, with results."""
    import slicer

    widget = open_module(name)
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    widget.parent.resize(500, 3000)
    widget.parent.show()
    slicer.app.processEvents()
    assert widget.parent.width <= 500, "wider than the panel"
    assert cut_texts(widget.parent) == []
    widget.parent.hide()


def test_the_measure_finds_what_is_cut(application):
    import qt

    root = qt.QWidget()
    layout = qt.QVBoxLayout(root)
    table = qt.QTableWidget(1, 1)
    table.setHorizontalHeaderLabels(["A title that is long"])
    table.setColumnWidth(0, 30)
    for widget in (qt.QLabel("A label that is long"), qt.QPushButton("A button that is long"), table):
        widget.setFixedWidth(60)
        layout.addWidget(widget)
    root.show()
    assert cut_texts(root) == ["A label that is long", "A button that is long", "A title that is long"]
    root.hide()


# --- widgets and state --------------------------------------------------------------------------------------------


def test_widgets_write_the_state_and_the_state_writes_the_widgets(open_module, case_nodes):
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    ui.caseIdEdit.text = "P002"
    ui.modalityBox.setCurrentIndex(1)
    ui.arterialSelector.setCurrentNode(case_nodes.images["arterial"])
    ui.segmentationSelector.setCurrentNode(case_nodes.segmentations[0])
    type_value(ui, "Albumin", "41")
    tick(ui.modelsList, 0)
    ui.outputFolder.currentPath = "/results"
    state = widget.window.state
    assert (state.case.case_id, state.case.modality) == ("P002", "CT")
    assert state.case.arterial is case_nodes.images["arterial"]
    assert dict(state.case.regions) == {"tumor": "tumor", "liver": "liver"}
    assert dict(state.case.clinical) == {"alb": "41"}
    assert list(state.survival_models) == ["radscore-tace-ct"]
    assert state.output_folder == "/results"

    state.case.case_id, state.case.modality, state.case.arterial = "P003", "MR", None
    state.case.regions = {"tumor": "", "liver": "liver"}
    state.case.clinical = {"alb": "39"}
    state.survival_models = []
    state.output_folder = ""
    assert (ui.caseIdEdit.text, ui.modalityBox.currentText) == ("P003", "MR")
    assert ui.arterialSelector.currentNode() is None
    assert ui.regionsTable.cellWidget(0, 1).currentText == "not used"
    assert "39" in {ui.clinicalTable.item(row, 1).text() for row in range(ui.clinicalTable.rowCount)}
    assert ui.modelsList.item(0).checkState().value == 0
    assert ui.outputFolder.currentPath == ""


def test_the_window_follows_a_script_that_writes_the_node_itself(open_module):
    from hccoutcome.scene.parameters import CaseState

    widget = open_module("HCCSurvival")
    script = CaseState(state_of(widget).parameterNode)
    script.output_folder = "/elsewhere"
    script.case.clinical = {"alb": "40"}
    ui = widget.window.ui
    assert ui.outputFolder.currentPath == "/elsewhere"
    assert "40" in {ui.clinicalTable.item(row, 1).text() for row in range(ui.clinicalTable.rowCount)}


def test_a_chosen_region_is_kept_and_new_segments_are_guessed(open_module, case_nodes):
    import slicer

    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    segmentation = case_nodes.segmentations[0]
    ui.segmentationSelector.setCurrentNode(segmentation)
    ui.regionsTable.cellWidget(0, 1).setCurrentIndex(0)
    segmentation.GetSegmentation().AddEmptySegment("more", "Lesion 2")
    assert dict(state_of(widget).case.regions) == {"tumor": "", "liver": "liver", "more": "tumor"}
    assert ui.regionsTable.rowCount == 3
    segmentation.GetSegmentation().RemoveSegment("more")
    assert ui.regionsTable.rowCount == 2
    ui.segmentationSelector.setCurrentNode(None)
    assert ui.regionsTable.rowCount == 0
    slicer.mrmlScene.RemoveNode(segmentation)


def test_guessing_leaves_alone_what_was_chosen(open_module, case_nodes):
    widget = open_module("HCCResponse")
    ui = widget.window.ui
    ui.portalSelector.setCurrentNode(case_nodes.images["arterial"])
    ui.guessButton.click()
    assert ui.portalSelector.currentNode() is case_nodes.images["arterial"]
    assert ui.arterialSelector.currentNode() is case_nodes.images["arterial"]


def test_the_modality_that_the_volumes_carry_is_taken(open_module, case_nodes):
    widget = open_module("HCCResponse")
    widget.window.ui.guessButton.click()
    assert widget.window.ui.modalityBox.currentText == "CT"


def test_a_record_is_read_from_a_file(open_module, monkeypatch, tmp_path):
    import qt

    widget = open_module("HCCSurvival")
    path = tmp_path / "record.json"
    path.write_text('{"clinical": {"albumin": {"value": 4.1, "unit": "g/dL"}, "age": 61}}')
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", staticmethod(lambda *words: str(path)))
    widget.window.ui.readRecordButton.click()
    assert dict(state_of(widget).case.clinical) == {"alb": "4.1 g/dL", "age": "61"}
    path.write_text('{"shoe size": 43}')
    widget.window.ui.readRecordButton.click()
    assert widget.window.ui.clinicalMessage.text.startswith("'shoe size' is not a known clinical variable")
    assert dict(state_of(widget).case.clinical) == {"alb": "4.1 g/dL", "age": "61"}


def test_the_variables_of_the_ticked_models_stand_first(open_module):
    ui = open_module("HCCResponse").window.ui
    assert ui.clinicalTable.item(0, 0).text() == "Age"
    tick(ui.modelsList, 0)
    assert [ui.clinicalTable.item(row, 0).text() for row in range(2)] == [
        "Macrovascular invasion",
        "Diameter of the largest tumour",
    ]
    assert ui.clinicalTable.item(0, 0).font().bold()
    assert not ui.clinicalTable.item(2, 0).font().bold()


# --- ready or not -------------------------------------------------------------------------------------------------


def test_apply_waits_with_a_reason_until_all_is_there(open_module, case_nodes):
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    assert (ui.applyButton.enabled, ui.readyLabel.text) == (False, "Choose at least one model.")
    tick(ui.modelsList, 0)
    assert ui.readyLabel.text == "Choose the volume of the arterial phase or the portal venous phase."
    assert ui.applyButton.toolTip == ui.readyLabel.text
    ui.portalSelector.setCurrentNode(case_nodes.images["portal"])
    assert ui.readyLabel.text == "Say which segment is the region 'tumor'."
    ui.segmentationSelector.setCurrentNode(case_nodes.segmentations[0])
    assert (ui.applyButton.enabled, ui.readyLabel.text) == (True, "")
    type_value(ui, "Albumin", "a lot")
    assert not ui.applyButton.enabled
    assert "a lot" in expected_of(ui, "Albumin"), "beside its field"
    assert "a lot" in ui.readyLabel.text
    type_value(ui, "Albumin", "")
    ui.caseIdEdit.text = "Mr X"
    assert "found 'Mr X': rename it" in ui.readyLabel.text


def test_a_removed_segment_or_volume_makes_it_not_ready_again(open_module, case_nodes):
    import slicer

    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    fill_in(widget, case_nodes)
    assert ui.applyButton.enabled
    case_nodes.segmentations[0].GetSegmentation().RemoveSegment("tumor")
    assert ui.readyLabel.text == "Say which segment is the region 'tumor'."
    slicer.mrmlScene.RemoveNode(case_nodes.images["arterial"])
    slicer.mrmlScene.RemoveNode(case_nodes.images["portal"])
    assert ui.readyLabel.text.startswith("Choose the volume of the arterial phase or")


# --- running ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HCCResponse", "HCCSurvival"])
def test_apply_brings_scores_into_the_window_and_the_scene(name, open_module, case_nodes, fake_worker, until):
    widget = open_module(name)
    ui = widget.window.ui
    fill_in(widget, case_nodes)
    if name == "HCCResponse":
        type_value(ui, "Diameter of the largest tumour", "5")
    ui.applyButton.click()
    assert ui.applyButton.text == "Cancel"
    until(lambda: ui.applyButton.text == "Apply")
    model = next(iter(widget.window.models.models))
    assert [ui.resultsTable.item(0, column).text() for column in range(3)] == [
        f"Title of {model}",
        "0.5 (score)",
        "Use with care",
    ]
    assert (
        ui.detailsLabel.text
        == "Survival. Value: 0.5 (score). Use with care. The image is not of the arterial phase. A paper."
    )
    assert ui.messageLabel.text.startswith("Done: ")
    assert widget.logic.analysis.nodes.findings["results"].GetName() in [
        ui.tableBox.itemText(index) for index in range(ui.tableBox.count)
    ]
    assert widget.logic.analysis.findings.provenance["masks"] == ["liver", "tumor"]


def test_a_second_run_replaces_the_tables_of_the_first(scene, open_module, case_nodes, fake_worker, until):
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    for _ in range(2):
        widget.window.ui.applyButton.click()
        until(lambda: widget.window.ui.applyButton.text == "Apply")
    names = [node.GetName() for node in tables(scene)]
    assert len(names) == len(set(names))
    assert "Results" in names


def test_the_sentence_of_a_worker_that_refuses_is_shown_and_the_scene_stays(
    scene, open_module, case_nodes, fake_worker, until
):
    fake_worker("bad")
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    assert widget.window.ui.messageLabel.text == "The mask of 'tumor' is empty: outline it."
    assert not tables(scene)
    assert widget.window.ui.applyButton.enabled


def test_an_answer_that_makes_no_sense_is_a_defect_that_is_shown(open_module, case_nodes, fake_worker, until, caplog):
    fake_worker("nonsense")
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    assert widget.window.ui.messageLabel.text.startswith("The program failed (KeyError: 'case')")
    assert "The analysis failed" in caplog.text


def test_cancel_ends_the_worker_and_its_children_and_leaves_the_scene(
    scene, open_module, case_nodes, fake_worker, until
):
    fake_worker("slow")
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    fill_in(widget, case_nodes)
    before = scene.GetNumberOfNodes()
    ui.applyButton.click()
    until(lambda: ui.messageLabel.text.startswith("Pretending..."))
    assert ui.progressBar.value == 50
    ui.applyButton.click()
    assert (ui.applyButton.text, ui.messageLabel.text) == ("Apply", "Cancelled; the scene is as it was.")
    assert scene.GetNumberOfNodes() == before
    assert_no_children()


def assert_no_children():
    living = [
        child for child in psutil.Process().children(recursive=True) if "fake_worker" in " ".join(child.cmdline())
    ]
    assert not living


def test_input_that_cannot_be_written_is_a_sentence_before_any_worker(open_module, case_nodes, fake_worker):
    import slicer

    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Shift")
    case_nodes.images["portal"].SetAndObserveTransformNodeID(transform.GetID())
    widget.window.ui.applyButton.click()
    assert "lies under the transform 'Shift': harden the transform first" in widget.window.ui.messageLabel.text
    assert widget.window.ui.applyButton.text == "Apply"


def test_packages_that_were_declined_are_a_sentence(open_module, case_nodes, fake_worker, monkeypatch):
    from hccoutcome.errors import EnvironmentNeeded
    from hccoutcome.gui import compat

    def decline(slicer, purposes, requester, declined):
        raise EnvironmentNeeded("The analysis needs these Python packages: numba; press Apply again and agree.")

    monkeypatch.setattr(compat, "ensure_requirements", decline)
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    assert "needs these Python packages: numba" in widget.window.ui.messageLabel.text


def test_the_chosen_folder_keeps_the_result_files(open_module, case_nodes, fake_worker, until, tmp_path):
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.outputFolder.currentPath = str(tmp_path)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    assert (tmp_path / "P001" / "result.json").is_file()


def test_the_copies_of_the_images_are_gone_afterwards(
    open_module, case_nodes, fake_worker, until, monkeypatch, tmp_path
):
    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path))
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    for mode in ("good", "bad"):
        fake_worker(mode)
        widget.window.ui.applyButton.click()
        until(lambda: list(tmp_path.glob("hcc-job-*/*.nrrd")))
        until(lambda: widget.window.ui.applyButton.text == "Apply")
        assert not list(tmp_path.glob("hcc-job-*"))


def test_a_table_is_shown_beside_the_slices(open_module, case_nodes, fake_worker, until):
    import slicer

    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    fill_in(widget, case_nodes)
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    ui.tableBox.setCurrentIndex(1)
    ui.showTableButton.click()
    shown = slicer.app.applicationLogic().GetSelectionNode().GetActiveTableID()
    assert slicer.mrmlScene.GetNodeByID(shown).GetName() == ui.tableBox.currentText


def test_the_report_is_ordered_from_a_worker_and_opened(
    open_module, case_nodes, fake_worker, until, monkeypatch, tmp_path
):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(Path(url.toLocalFile())))
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.outputFolder.currentPath = str(tmp_path)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    widget.window.ui.reportButton.click()
    until(lambda: opened)
    assert opened == [tmp_path / "P001" / "report.html"]
    assert widget.window.ui.messageLabel.text == "The report is open in the browser."
    job = json.loads(opened[0].read_text(encoding="utf-8"))
    assert job["looks"]["tumor"]["title"] == "Tumour"
    assert set(job["windows"]) == set(case_nodes.images)
    assert widget.window.ui.resultsTable.rowCount == 1, "the results stay"


def test_a_report_that_nobody_keeps_goes_with_the_scene(
    scene, open_module, case_nodes, fake_worker, until, monkeypatch, tmp_path
):
    import qt

    opened = []
    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", opened.append)
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.applyButton.text == "Apply")
    for count in (1, 2):
        widget.window.ui.reportButton.click()
        until(lambda count=count: len(opened) == count)
    assert len(list(tmp_path.glob("hcc-report-*/report.html"))) == 1
    scene.Clear(0)
    assert not list(tmp_path.glob("hcc-*"))


# --- scene and modules --------------------------------------------------------------------------------------------


def test_closing_the_scene_ends_the_work_and_begins_anew(scene, open_module, case_nodes, fake_worker, until):
    fake_worker("slow")
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    fill_in(widget, case_nodes)
    ui.applyButton.click()
    until(lambda: ui.messageLabel.text.startswith("Pretending..."))
    scene.Clear(0)
    assert not widget.logic.analysis.running
    assert_no_children()
    assert ui.portalSelector.currentNode() is None
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Apply", False)
    ui.caseIdEdit.text = "P009"
    assert state_of(widget).case.case_id == "P009"


def test_switching_the_module_keeps_the_case(application, open_module, case_nodes):
    survival = open_module("HCCSurvival")
    fill_in(survival, case_nodes)
    type_value(survival.window.ui, "Albumin", "41")
    application.leave(survival)
    response = open_module("HCCResponse")
    ui = response.window.ui
    assert ui.caseIdEdit.text == "P001"
    assert ui.portalSelector.currentNode() is case_nodes.images["portal"]
    assert dict(state_of(response).case.clinical) == {"alb": "41"}
    assert list(state_of(response).response_models) == []
    application.leave(response)
    application.enter(survival)
    assert survival.window.ui.modelsList.item(0).checkState().value == 2


def test_a_module_that_is_not_shown_leaves_the_state_alone(application, open_module, case_nodes):
    survival = open_module("HCCSurvival")
    application.leave(survival)
    survival.window.ui.caseIdEdit.text = "other"
    assert state_of(survival).case.case_id == "case"


def test_an_analysis_goes_on_while_another_module_is_shown(application, open_module, case_nodes, fake_worker, until):
    survival = open_module("HCCSurvival")
    fill_in(survival, case_nodes)
    survival.window.ui.applyButton.click()
    application.leave(survival)
    until(lambda: survival.logic.analysis.findings is not None)
    application.enter(survival)
    assert survival.window.ui.resultsTable.rowCount == 1


def test_closing_the_window_ends_the_work(application, open_module, case_nodes, fake_worker, until):
    fake_worker("slow")
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    widget.window.ui.applyButton.click()
    until(lambda: widget.window.ui.messageLabel.text.startswith("Pretending..."))
    widget.cleanup()
    assert not widget.logic.analysis.running
    assert_no_children()


def test_the_state_is_saved_with_the_scene(scene, open_module, case_nodes, tmp_path):
    from hccoutcome.scene.store import load_scene, save_scene

    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    type_value(widget.window.ui, "Albumin", "41 g/L")
    save_scene(tmp_path / "scene.mrb")
    scene.Clear(0)
    load_scene(tmp_path / "scene.mrb")
    state = state_of(widget)
    assert state.case.case_id == "P001"
    assert state.case.portal.GetName() == case_nodes_name(scene, "portal")
    assert dict(state.case.clinical) == {"alb": "41 g/L"}
    assert list(state.survival_models) == ["radscore-tace-ct"]
    assert widget.window.ui.portalSelector.currentNode() is state.case.portal
    assert widget.window.ui.caseIdEdit.text == "P001"
    assert widget.window.ui.applyButton.enabled


def case_nodes_name(scene, phase):
    from hccoutcome.scene.nodes import nodes_of

    return nodes_of(scene, "P001").images[phase].GetName()
