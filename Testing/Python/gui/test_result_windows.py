"""What the windows show of a result: side by side, in words, as charts beside the images, again in a reopened scene."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from trained_packages import patient, prediction_of, train
from window_steps import cells, fill_in, tick

from hccoutcome.findings import Findings
from hccoutcome.package.reading import read_package
from hccoutcome.package.reference import reference_from_table, write_reference
from hccoutcome.report.outlook_words import in_short, sentences

RECORD = {"alb": "38.2", "tbil": "19", "age": "61", "afp": "400", "sex": "male", "cirrhosis": "yes", "bclc": "B"}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A survival and a response package of a user, trained on made-up patients."""
    folder = tmp_path_factory.mktemp("trained")
    return {
        "survival": train(folder, "cox-ridge", "os", "clinical"),
        "response": train(folder, "logistic-ridge", "mrecist", "clinical"),
    }


def add(ui, package: Path, monkeypatch) -> None:
    """Add a package of one's own by the button."""
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", staticmethod(lambda *words: str(package)))
    ui.addPackageButton.click()


def titles(ui) -> list[str]:
    return [ui.modelsList.item(row).text() for row in range(ui.modelsList.count)]


def tick_by_title(ui, title: str) -> None:
    tick(ui.modelsList, titles(ui).index(title))


@pytest.fixture
def analysed(scene, open_module, packages, monkeypatch, until):
    """The survival window after a record was analysed by a package of the user's own and ALBI, by the real worker."""
    widget = open_module("HCCSurvival")
    ui, window = widget.window.ui, widget.window
    add(ui, packages["survival"] / "package.json", monkeypatch)
    ui.caseIdEdit.text = "P001"
    window.state.case.clinical = RECORD
    tick_by_title(ui, read_package(str(packages["survival"])).title)
    tick_by_title(ui, "ALBI score and grade")
    assert ui.applyButton.enabled, ui.readyLabel.text
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.messageLabel.text.startswith("Done"), ui.messageLabel.text
    return widget


def test_results_stand_side_by_side_in_words_and_charts_beside_the_images(analysed, until):
    import slicer

    ui, findings = analysed.window.ui, analysed.logic.analysis.findings
    cox = next(item for item in findings.predictions if item.outlook is not None)
    albi = next(item for item in findings.predictions if item is not cox)
    rows = {title: (value, verdict) for title, value, verdict in cells(ui.resultsTable)}
    assert rows[cox.title][0] == f"{cox.label}: {in_short(cox)}"
    assert rows[albi.title] == (albi.label, "Applicable")
    place = [row[0] for row in cells(ui.resultsTable)].index(cox.title)
    ui.resultsTable.setCurrentCell(1 - place, 0)
    ui.resultsTable.setCurrentCell(place, 0)
    paragraphs = ui.detailsLabel.text.split("\n\n")
    assert tuple(paragraphs[1:]) == sentences(cox)
    charts = [ui.chartBox.itemText(index) for index in range(ui.chartBox.count)]
    assert charts == [
        "Risk groups of the training cohort",
        "Survival for this score",
        "What the score is made of",
        "Inputs in the training cohort",
    ]
    selection = slicer.app.applicationLogic().GetSelectionNode()
    shown = slicer.mrmlScene.GetNodeByID(selection.GetActivePlotChartID())
    assert shown.GetName() == f"Risk groups of {cox.title}"
    ui.chartBox.setCurrentIndex(2)
    ui.showChartButton.click()
    shown = slicer.mrmlScene.GetNodeByID(selection.GetActivePlotChartID())
    assert shown.GetName() == f"What {cox.title} is made of"
    ui.resultsTable.setCurrentCell(1 - place, 0)
    assert [ui.chartBox.itemText(index) for index in range(ui.chartBox.count)] == ["What the score is made of"]
    ui.resultsTable.setCurrentCell(place, 0)
    assert ui.chartBox.currentText == "What the score is made of"


def test_the_numbers_are_those_of_the_command_line(analysed, packages, tmp_path, capsys):
    from hccoutcome.cli import main

    (tmp_path / "record.json").write_text(json.dumps(RECORD), encoding="utf-8")
    words = ["--clinical", str(tmp_path / "record.json"), "--case-id", "P001", "--no-scene", "--no-report"]
    assert main(["analyse", *words, "--package", str(packages["survival"]), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    result = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    (expected,) = Findings.from_json(result).predictions
    cox = next(item for item in analysed.logic.analysis.findings.predictions if item.outlook is not None)
    assert cox == expected
    assert all(sentence in said for sentence in sentences(cox))


def test_a_reopened_scene_shows_the_same_results(analysed, application, open_module, tmp_path):
    from hccoutcome.scene.store import load_scene, save_scene

    window = analysed.window
    before = (cells(window.ui.resultsTable), window.ui.detailsLabel.text)
    path = save_scene(tmp_path / "scene.mrb")
    import slicer

    slicer.mrmlScene.Clear(0)
    assert not window.ui.resultsTable.rowCount
    load_scene(path)
    application.leave(analysed)
    widget = open_module("HCCSurvival")
    again = widget.window
    assert (cells(again.ui.resultsTable), again.ui.detailsLabel.text) == before
    assert again.ui.chartBox.count > 0
    again.ui.showChartButton.click()
    application.leave(widget)
    response = open_module("HCCResponse").window
    assert not response.ui.resultsTable.rowCount


def test_a_damaged_text_in_a_scene_is_a_sentence(scene, open_module, packages):
    from hccoutcome.scene.build import add_findings
    from hccoutcome.scene.found import ROLE
    from hccoutcome.scene.nodes import CaseNodes

    found = replace(prediction_of(packages["survival"], patient()), citation="")
    nodes = add_findings(Findings("case", predictions=(found,)), CaseNodes("case", scene))
    nodes.findings[ROLE].SetText('{"results": 3}')
    window = open_module("HCCSurvival").window
    assert window.ui.messageLabel.text.startswith("'What was found' of the case 'case' should hold the results")
    assert not window.ui.resultsTable.rowCount


def test_a_package_of_ones_own_is_offered_where_its_outcome_belongs(application, open_module, packages, monkeypatch):
    survival = open_module("HCCSurvival")
    ui, count = survival.window.ui, survival.window.ui.modelsList.count
    add(ui, packages["response"] / "package.json", monkeypatch)
    assert ui.modelsList.count == count
    title = read_package(str(packages["response"])).title
    assert ui.addPackageMessage.text == f"'{title}' is offered in HCC Response."
    application.leave(survival)
    response = open_module("HCCResponse")
    assert title in titles(response.window.ui)
    assert list(response.window.state.own_packages) == [str(packages["response"])]


def test_what_is_no_package_is_a_sentence(open_module, tmp_path, monkeypatch):
    widget = open_module("HCCSurvival")
    ui, count = widget.window.ui, widget.window.ui.modelsList.count
    (tmp_path / "package.json").write_text("[]", encoding="utf-8")
    add(ui, tmp_path / "package.json", monkeypatch)
    assert ui.modelsList.count == count
    assert "package.json" in ui.addPackageMessage.text
    add(ui, Path(), monkeypatch)
    assert list(widget.window.state.own_packages) == []


def reference_of(name: str, folder: Path) -> Path:
    """A reference table of a package's features in a made-up cohort."""
    package = read_package(name)
    draw = np.random.default_rng(1)
    rows = [{feature: draw.normal() for feature in package.requirements.features} for _ in range(40)]
    reference = reference_from_table(
        rows, package.requirements.features, package.settings_sha256, "40 made-up patients"
    )
    write_reference(reference, folder / f"{name}.json")
    return folder / f"{name}.json"


def test_a_reference_file_reaches_the_worker_with_its_model(open_module, case_nodes, tmp_path, monkeypatch):
    widget = open_module("HCCResponse")
    ui, window = widget.window.ui, widget.window
    names = list(window.models.models)
    given = {}
    monkeypatch.setattr(window.analysis, "process", lambda case, **options: given.update(options))
    monkeypatch.setattr(window, "_start", lambda work, begin, libraries: begin())
    fill_in(widget, case_nodes)
    ui.modelsList.setCurrentRow(names.index("haic-mri-clinical"))
    assert ui.referenceFile.isHidden()
    ui.modelsList.setCurrentRow(names.index("haic-mri-crh"))
    assert not ui.referenceFile.isHidden()
    assert ui.referenceLabel.text.startswith("Reference table of your own cohort for ")
    ui.referenceFile.currentPath = str(tmp_path / "crh.json")
    ui.modelsList.setCurrentRow(names.index("haic-mri-cr"))
    assert ui.referenceFile.currentPath == ""
    ui.referenceFile.currentPath = str(tmp_path / "cr.json")
    tick(ui.modelsList, names.index("haic-mri-crh"))
    window.apply_or_cancel()
    assert given["references"] == {"haic-mri-crh": tmp_path / "crh.json"}
    tick(ui.modelsList, names.index("haic-mri-cr"))
    window.apply_or_cancel()
    assert given["references"] == {name: tmp_path / f"{name[9:]}.json" for name in ("haic-mri-crh", "haic-mri-cr")}
    ui.modelsList.setCurrentRow(names.index("haic-mri-crh"))
    ui.referenceFile.currentPath = ""
    window.apply_or_cancel()
    assert given["references"] == {"haic-mri-cr": tmp_path / "cr.json"}


def small_case():
    """The synthetic patient in MR, cut to a box around a small tumour: registered and resampled in seconds."""
    from hccoutcome.phantom import PhantomSettings, phantom_case

    case = phantom_case(
        seed=1, settings=PhantomSettings(modality="MR", spacing=(3.0, 3.0, 3.0), lesion_diameters=(28.0,))
    )
    found = np.argwhere(sitk.GetArrayViewFromImage(case.masks["tumor"][0]))[:, ::-1]
    low, high = np.maximum(found.min(axis=0) - 10, 0), found.max(axis=0) + 11
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return replace(
        case,
        images={phase: image[box] for phase, image in case.images.items()},
        masks={"tumor": (case.masks["tumor"][0][box],)},
        sources={},
    )


def test_cr_gives_a_number_in_the_window_once_it_has_a_reference(
    scene, open_module, application, until, tmp_path, monkeypatch
):
    from hccoutcome.scene.build import add_case

    nodes = add_case(small_case())
    widget = open_module("HCCResponse")
    ui, window = widget.window.ui, widget.window
    fill_in(widget, nodes)
    window.state.case.clinical = {"vascular_invasion": "no", "tumor_diameter": "5"}
    names = list(window.models.models)
    tick(ui.modelsList, 0, on=False)
    tick(ui.modelsList, names.index("haic-mri-cr"))
    ui.modelsList.setCurrentRow(names.index("haic-mri-cr"))
    ui.referenceFile.currentPath = str(reference_of("haic-mri-cr", tmp_path))
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply", 240.0)
    (found,) = window.analysis.findings.predictions
    assert found.score is not None, found.applicability.reasons
    assert found.outlook.cohort == "40 made-up patients"
    assert "SD above the mean" in ui.detailsLabel.text or "SD below the mean" in ui.detailsLabel.text
    assert "Inputs in the training cohort" in [ui.chartBox.itemText(index) for index in range(ui.chartBox.count)]


def test_response_and_survival_of_one_case_stand_in_the_scene_together(
    analysed, application, open_module, packages, monkeypatch, until
):
    from hccoutcome.scene.found import stored

    application.leave(analysed)
    widget = open_module("HCCResponse")
    ui = widget.window.ui
    add(ui, packages["response"] / "package.json", monkeypatch)
    tick_by_title(ui, read_package(str(packages["response"])).title)
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert len(widget.logic.analysis.findings.predictions) == 1
    findings, nodes = stored("P001")
    assert len(findings.predictions) == 3
    assert {f"waterfall:{item.package}" for item in findings.predictions} <= set(nodes.findings)
    assert ui.resultsTable.item(0, 0).text() == widget.logic.analysis.findings.predictions[0].title
    application.leave(widget)
    application.enter(analysed)
    assert "Cox regression" in analysed.window.ui.resultsTable.item(1, 0).text()
