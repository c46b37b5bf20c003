"""The first panels of every window: the case with what is wrong beside its fields, and the clinical record."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from window_steps import cells, fill_in

MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")


def row_of(ui, title):
    return next(row for row in range(ui.clinicalTable.rowCount) if ui.clinicalTable.item(row, 0).text() == title)


def type_value(ui, title, text):
    ui.clinicalTable.item(row_of(ui, title), 1).setText(text)


def beside(ui, title):
    return ui.clinicalTable.item(row_of(ui, title), 3).text()


def patients(scene):
    """Names of the patients in the subject hierarchy."""
    import slicer
    from vtkmodules.vtkCommonCore import vtkIdList

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    items = vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient()
    found = [items.GetId(index) for index in range(items.GetNumberOfIds())]
    return [hierarchy.GetItemName(item) for item in found if hierarchy.GetItemLevel(item) == level]


# --- case ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_what_is_wrong_stands_below_its_field(name, open_module, case_nodes):
    ui = open_module(name).window.ui
    assert not ui.caseIdMessage.isVisibleTo(ui.caseButton)
    ui.caseIdEdit.text = "Mr X"
    assert "found 'Mr X': rename it" in ui.caseIdMessage.text
    assert ui.caseIdMessage.isVisibleTo(ui.caseButton)
    ui.caseIdEdit.text = "P001"
    assert ui.caseIdMessage.text == ""
    ui.portalSelector.setCurrentNode(case_nodes.images["portal"])
    ui.arterialSelector.setCurrentNode(case_nodes.images["portal"])
    assert ui.volumesMessage.text.endswith(
        "is chosen for the arterial phase and for the portal venous phase: correct one of them."
    )
    assert not ui.applyButton.enabled
    assert ui.readyLabel.text == ui.volumesMessage.text
    ui.arterialSelector.setCurrentNode(case_nodes.images["arterial"])
    assert ui.volumesMessage.text == ""


class Database:
    """ctkDICOMDatabase, as far as phases need it."""

    def __init__(self, series):
        self.series = series

    def instanceValue(self, instance, tag):
        return self.series[instance].get(tag, "")


def test_phases_are_guessed_from_dicom_times_where_names_say_nothing(scene, open_module, case_nodes, monkeypatch):
    """Contrast at 10:00:00: what was taken after 30 s is arterial, after 70 s portal venous, after 4 min delayed."""
    import slicer

    from hccoutcome.scene.exchange import image_from_node, node_from_image

    day = {"0008,0022": "20240105", "0008,0060": "CT", "0018,1042": "100000"}
    series = {f"1.2.{second}": {**day, "0008,0032": f"10{second // 60:02}{second % 60:02}"} for second in (30, 70, 240)}
    monkeypatch.setattr(slicer, "dicomDatabase", Database(series), raising=False)
    voxels = image_from_node(case_nodes.images["portal"])
    scene.Clear(0)
    volumes = {}
    for number, instance in enumerate(series):
        volumes[instance] = node_from_image(voxels, f"{number}: body", scene)
        volumes[instance].SetAttribute("DICOM.instanceUIDs", f"{instance} 9.9")
    ui = open_module("HCCResponse").window.ui
    ui.guessButton.click()
    assert ui.precontrastSelector.currentNode() is None
    assert ui.arterialSelector.currentNode() is volumes["1.2.30"]
    assert ui.portalSelector.currentNode() is volumes["1.2.70"]
    assert ui.delayedSelector.currentNode() is volumes["1.2.240"]
    ui.arterialSelector.setCurrentNode(None)
    assert ui.portalSelector.currentNode() is volumes["1.2.70"], "what was guessed can be corrected"


def test_without_a_dicom_database_names_alone_are_asked(scene, open_module, case_nodes):
    from hccoutcome.scene.phases import phases_by_dicom

    case_nodes.images["portal"].SetAttribute("DICOM.instanceUIDs", "1.2.3")
    assert phases_by_dicom(case_nodes.images.values()) == {}


# --- record --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_every_variable_shows_its_unit_and_what_is_expected(name, open_module):
    ui = open_module(name).window.ui
    row = row_of(ui, "Albumin")
    assert [ui.clinicalTable.item(row, column).text() for column in (2, 3)] == ["g/L", "18 to 55 g/L"]
    assert beside(ui, "Hepatitis B") == "yes or no"
    assert beside(ui, "Child-Pugh class") == "A, B, C"


def test_an_error_stands_beside_its_value_and_goes_when_it_is_mended(open_module):
    ui = open_module("HCCSurvival").window.ui
    type_value(ui, "Albumin", "4.1")
    assert beside(ui, "Albumin").startswith("\u2716 Albumin (alb) lies between 10 and 70 g/L, found 4.1 g/L")
    type_value(ui, "Age", "17")
    assert beside(ui, "Age").startswith("\u26a0 Age (age) is unusual")
    assert beside(ui, "Platelets") == "20 to 800 10^9/L"
    type_value(ui, "Albumin", "4.1 g/dL")
    assert beside(ui, "Albumin") == "18 to 55 g/L"


def test_indices_are_computed_as_values_are_typed(open_module):
    ui = open_module("HCCSurvival").window.ui
    assert ui.indicesTable.rowCount == 0
    type_value(ui, "Neutrophils", "4")
    assert ["Neutrophil-to-lymphocyte ratio", "-", "lacks Lymphocytes"] in cells(ui.indicesTable)
    type_value(ui, "Lymphocytes", "1.6")
    assert ["Neutrophil-to-lymphocyte ratio", "2.5", "neu / lym"] in cells(ui.indicesTable)
    type_value(ui, "Lymphocytes", "")
    assert ["Neutrophil-to-lymphocyte ratio", "-", "lacks Lymphocytes"] in cells(ui.indicesTable)


@pytest.fixture
def clipboard(application, monkeypatch):
    """The clipboard, as far as the panel uses it."""
    import qt

    held = SimpleNamespace(content="")
    held.text = lambda: held.content
    held.setText = lambda text: setattr(held, "content", text)
    monkeypatch.setattr(qt.QApplication, "clipboard", staticmethod(lambda: held))
    return held


def test_a_spreadsheet_row_is_pasted_with_errors_beside_their_fields(open_module, clipboard):
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    type_value(ui, "Age", "60")
    clipboard.content = "ALB (g/dL)\tAFP\tShoe size\n4.1\t<20\t43\n"
    ui.pasteRecordButton.click()
    assert dict(widget.window.state.case.clinical) == {"age": "60", "alb": "4.1 g/dL", "afp": "<20"}
    assert beside(ui, "Alpha-fetoprotein").startswith("\u2716 ")
    assert beside(ui, "Albumin") == "18 to 55 g/L"
    assert ui.clinicalMessage.text == "2 values taken. Not known, or given twice: Shoe size."
    clipboard.content = "a\nb\nc\n"
    ui.pasteRecordButton.click()
    assert "found 3 rows" in ui.clinicalMessage.text
    assert dict(widget.window.state.case.clinical)["age"] == "60"


def test_the_template_on_the_clipboard_takes_a_row_back(open_module, clipboard):
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    ui.templateButton.click()
    header = clipboard.content
    assert "alb (g/L)" in header.split("\t")
    clipboard.content = header + "\t".join("61" if title == "age (years)" else "" for title in header.split("\t"))
    ui.pasteRecordButton.click()
    assert dict(widget.window.state.case.clinical) == {"age": "61"}


# --- the table in the scene ------------------------------------------------------------------------------------------


def record_of(widget):
    from hccoutcome.scene.clinical import read_record

    table = widget.window.state.case.record
    return None if table is None else read_record(table)


def test_the_record_lies_as_a_table_under_the_patient(scene, open_module):
    import slicer

    from hccoutcome.scene.nodes import CASE, ROLE

    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    assert widget.window.state.case.record is None, "nothing is made of nothing"
    ui.caseIdEdit.text = "P009"
    type_value(ui, "Albumin", "41 g/L")
    table = widget.window.state.case.record
    assert (table.GetAttribute(CASE), table.GetAttribute(ROLE)) == ("P009", "record")
    assert record_of(widget) == {"alb": "41 g/L"}
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(table))
    assert hierarchy.GetItemName(hierarchy.GetItemParent(study)) == "P009"
    type_value(ui, "Albumin", "")
    assert record_of(widget) == {}


def test_a_name_typed_letter_by_letter_leaves_one_patient(scene, open_module):
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    type_value(ui, "Albumin", "41")
    for length in range(1, 5):
        ui.caseIdEdit.text = "P009"[:length]
    ui.caseIdEdit.text = "P 9"
    ui.caseIdEdit.text = "P09"
    assert patients(scene) == ["P09"]
    assert record_of(widget) == {"alb": "41"}


def test_an_edit_of_the_table_is_an_edit_of_the_record(scene, open_module):
    """In the module Tables, or by a script."""
    from vtkmodules.vtkCommonCore import vtkVariant

    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    type_value(ui, "Albumin", "41")
    table = widget.window.state.case.record
    table.GetTable().SetValueByName(0, "Value", vtkVariant("39"))
    table.Modified()
    assert dict(widget.window.state.case.clinical) == {"alb": "39"}
    assert ui.clinicalTable.item(row_of(ui, "Albumin"), 1).text() == "39"


def test_the_record_survives_saving_and_is_analysed(scene, open_module, case_nodes, fake_worker, until, tmp_path):
    from hccoutcome.scene.store import load_scene, save_scene

    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    fill_in(widget, case_nodes)
    type_value(ui, "Albumin", "41 g/L")
    type_value(ui, "Hepatitis B", "yes")
    save_scene(tmp_path / "scene.mrb")
    scene.Clear(0)
    load_scene(tmp_path / "scene.mrb")
    assert record_of(widget) == {"alb": "41 g/L", "hbv": "yes"}
    assert ui.clinicalTable.item(row_of(ui, "Albumin"), 1).text() == "41 g/L"
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert widget.logic.analysis.findings.provenance["clinical"] == {"alb": "41 g/L", "hbv": "yes"}


def test_the_record_is_shared_by_the_modules(application, scene, open_module):
    survival = open_module("HCCSurvival")
    type_value(survival.window.ui, "Albumin", "41")
    table = survival.window.state.case.record
    application.leave(survival)
    habitat = open_module("HCCHabitat")
    type_value(habitat.window.ui, "Age", "60")
    assert habitat.window.state.case.record is table
    assert record_of(habitat) == {"alb": "41", "age": "60"}


def test_a_table_that_somebody_removes_comes_back_with_the_next_value(scene, open_module):
    widget = open_module("HCCSurvival")
    ui = widget.window.ui
    type_value(ui, "Albumin", "41")
    scene.RemoveNode(widget.window.state.case.record)
    type_value(ui, "Age", "60")
    assert record_of(widget) == {"alb": "41", "age": "60"}


def test_what_is_wrong_with_a_folder_or_file_stands_below_it(open_module, case_nodes, tmp_path):
    widget = open_module("HCCResponse")
    ui = widget.window.ui
    fill_in(widget, case_nodes)
    assert ui.outputMessage.isHidden()
    (tmp_path / "file").write_text("x", encoding="utf-8")
    ui.outputFolder.currentPath = str(tmp_path / "file")
    assert ui.outputMessage.text.startswith("Files are kept in a folder that can be written to, found a file")
    assert not ui.outputMessage.isHidden()
    assert ui.readyLabel.text == ui.outputMessage.text
    ui.outputFolder.currentPath = str(tmp_path / "new")
    assert ui.outputMessage.isHidden(), "a folder is made where its parent can be written to"
    ui.outputFolder.currentPath = str(tmp_path / "nowhere" / "new")
    assert "found one that is not there" in ui.outputMessage.text
    ui.modelsList.setCurrentRow(list(widget.window.models.models).index("haic-mri-crh"))
    assert ui.referenceMessage.isHidden()
    ui.referenceFile.currentPath = str(tmp_path / "none.json")
    assert "A file was expected at" in ui.referenceMessage.text
    assert not ui.referenceMessage.isHidden()
    ui.referenceFile.currentPath = ""
    assert ui.referenceMessage.isHidden()


def test_what_is_wrong_with_a_habitat_package_stands_below_it(open_module, case_nodes, tmp_path):
    ui = open_module("HCCHabitat").window.ui
    texts = [ui.methodBox.itemText(index) for index in range(ui.methodBox.count)]
    ui.methodBox.setCurrentIndex(texts.index("pooled"))
    assert ui.packageMessage.isHidden()
    ui.packageFolder.currentPath = str(tmp_path / "none")
    assert ui.packageMessage.text
    assert not ui.packageMessage.isHidden()
    ui.packageFolder.currentPath = ""
    assert ui.packageMessage.isHidden()


def test_a_path_that_the_system_does_not_take_is_a_sentence_and_the_window_opens(application, open_module, case_nodes):
    name = "x" * 300
    response = open_module("HCCResponse")
    ui, state = response.window.ui, response.window.state
    fill_in(response, case_nodes)
    ui.outputFolder.currentPath = name
    assert "found a name that the system does not take" in ui.outputMessage.text
    ui.modelsList.setCurrentRow(list(response.window.models.models).index("haic-mri-crh"))
    ui.referenceFile.currentPath = name
    assert "A file was expected at" in ui.referenceMessage.text
    ui.atomTacePackage.currentPath = name
    assert "There is no package" in ui.atomTaceMessage.text
    state.own_packages, state.habitat.package, state.habitat.method = [name], name, "two-step"
    assert "There is no package" in ui.addPackageMessage.text
    application.leave(response)
    habitat = open_module("HCCHabitat")
    assert "A habitat package is a folder" in habitat.window.ui.packageMessage.text


# --- long words ----------------------------------------------------------------------------------------------------


def test_a_long_name_does_not_widen_the_window(open_module, case_nodes):
    import slicer

    widget = open_module("HCCSurvival")
    volume = case_nodes.images["portal"]
    volume.SetName("y" * 300)
    widget.window.ui.portalSelector.setCurrentNode(volume)
    widget.window.ui.arterialSelector.setCurrentNode(volume)
    widget.parent.resize(500, 1000)
    widget.parent.show()
    slicer.app.processEvents()
    assert "is chosen for" in widget.window.ui.volumesMessage.text
    assert widget.parent.width <= 500
    widget.parent.hide()


def test_volumes_of_two_patients_are_refused_beside_their_fields(open_module, case, case_nodes):
    from dataclasses import replace

    from hccoutcome.scene.build import add_case

    other = add_case(replace(case, case_id="P002"))
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    ui = widget.window.ui
    ui.arterialSelector.setCurrentNode(case_nodes.images["arterial"])
    ui.portalSelector.setCurrentNode(case_nodes.images["portal"])
    assert (ui.volumesMessage.text, ui.applyButton.enabled) == ("", True)
    for name in ("Of another", case_nodes.images["arterial"].GetName()):
        other.images["portal"].SetName(name)
        ui.portalSelector.setCurrentNode(case_nodes.images["portal"])
        ui.portalSelector.setCurrentNode(other.images["portal"])
        assert ui.volumesMessage.text.startswith(f"'Arterial phase' and '{name}' lie under different patients")
    assert not ui.applyButton.enabled


def test_a_long_path_is_shown_as_it_is(open_module, case_nodes):
    import slicer

    widget = open_module("HCCResponse")
    path = "/a folder/" + "/".join(["folder"] * 40)
    widget.window.ui.atomTacePackage.currentPath = path
    widget.parent.resize(500, 1000)
    widget.parent.show()
    slicer.app.processEvents()
    assert f"There is no package '{path}'" in widget.window.ui.atomTaceMessage.text
    assert widget.parent.width <= 500
    widget.parent.hide()
