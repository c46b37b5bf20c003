"""The windows with the real worker on the synthetic patient, and the same numbers from command line and module."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hccoutcome.findings import Findings
from hccoutcome.gui.rules import record_from_json
from hccoutcome.loading import load_case, read_case_folder

PACKAGES = ("radscore-tace-ct", "haic-mri-clinical")
RUN_HCC = "import sys; from hccoutcome.cli import main; sys.exit(main())"
NO_SHOW = ("--no-scene", "--no-report")


@pytest.fixture
def nodes(scene, phantom):
    """The synthetic patient in the scene."""
    from hccoutcome.scene.build import add_case

    return add_case(load_case(read_case_folder(phantom)))


@pytest.fixture
def scene_case(nodes, phantom):
    """The synthetic patient as a case of the scene, as a script would name it."""
    from hccoutcome.scene.inputs import SceneCase

    files = read_case_folder(phantom)
    return SceneCase(
        case_id=files.case_id,
        volumes=nodes.images,
        segmentation=nodes.segmentations[0],
        segments={region: (region,) for region in files.masks},
        clinical=files.clinical,
        modality=files.modality,
    )


def fill_in(widget, nodes, phantom):
    """Choose the synthetic patient in a window, by its widgets and its record's file."""
    ui = widget.window.ui
    ui.caseIdEdit.text = nodes.case_id
    ui.guessButton.click()
    ui.segmentationSelector.setCurrentNode(nodes.segmentations[0])
    widget.window.state.case.clinical = record_from_json((phantom / "case.json").read_text(encoding="utf-8"))
    if hasattr(ui, "modelsList"):
        tick_all(ui)
    assert ui.applyButton.enabled, ui.readyLabel.text


def tick_all(ui):
    import qt

    for row in range(ui.modelsList.count):
        ui.modelsList.item(row).setCheckState(qt.Qt.Checked)


@pytest.fixture(scope="module")
def command_line(phantom, tmp_path_factory):
    """What ``hcc analyse`` finds on the synthetic patient."""
    out = tmp_path_factory.mktemp("cli") / "out"
    words = [word for name in PACKAGES for word in ("--package", name)]
    done = subprocess.run(
        [sys.executable, "-c", RUN_HCC, "analyse", "--case", str(phantom), *words, *NO_SHOW, "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((out / "result.json").read_text(encoding="utf-8"))


def test_command_line_and_module_give_the_same_numbers(application, command_line, scene_case):
    """Every number, verdict and reason: only where the images lay, and when it was done, may differ."""
    from standin.application import ROOT

    module, _ = application.load_module(ROOT / "HCCSurvival" / "HCCSurvival.py")
    found = module.HCCSurvivalLogic().process(scene_case, packages=PACKAGES).to_json()
    assert len(found["features"]) >= 5
    for part in ("case", "modality", "synthetic", "results", "liver_scores", "clinical", "features", "quality"):
        assert found[part] == command_line[part], part
    assert all(result["score"] is not None for result in found["results"])


def test_the_survival_window_gives_every_score(open_module, nodes, phantom, until):
    widget = open_module("HCCSurvival")
    fill_in(widget, nodes, phantom)
    ui = widget.window.ui
    tick_all(ui)
    assert ui.applyButton.enabled, ui.readyLabel.text
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.messageLabel.text.startswith("Done of the synthetic case: "), ui.messageLabel.text
    titles = [ui.resultsTable.item(row, 0).text() for row in range(ui.resultsTable.rowCount)]
    assert len(titles) == len(set(titles)) >= ui.modelsList.count
    assert "Radscore (TACE, arterial CT)" in titles
    verdicts = {ui.resultsTable.item(row, 2).text() for row in range(ui.resultsTable.rowCount)}
    assert verdicts <= {"Use with care", "Not applicable"}, "a synthetic case is never simply applicable"
    assert "generated data" in ui.detailsLabel.text


def test_the_response_window_refuses_what_needs_a_reference_and_says_so(open_module, nodes, phantom, until):
    widget = open_module("HCCResponse")
    fill_in(widget, nodes, phantom)
    ui = widget.window.ui
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    rows = {
        ui.resultsTable.item(row, 0).text(): [ui.resultsTable.item(row, column).text() for column in (1, 2)]
        for row in range(ui.resultsTable.rowCount)
    }
    assert rows["Clinical score (HAIC)"][1] == "Use with care"
    assert rows["Clinical-Radiomics score (HAIC, MRI)"] == ["no number", "Not applicable"]
    findings: Findings = widget.logic.analysis.findings
    refused = next(item for item in findings.predictions if item.package == "haic-mri-cr")
    assert any("reference" in reason for reason in refused.applicability.reasons)


def test_the_habitat_window_computes_every_region_on_every_phase(open_module, nodes, phantom, until):
    widget = open_module("HCCHabitat")
    fill_in(widget, nodes, phantom)
    ui = widget.window.ui
    ui.parameterFileBox.setCurrentIndex(2)
    ui.featuresButton.click()
    until(lambda: ui.applyButton.text == "Apply", 120)
    assert ui.messageLabel.text.startswith("Done of the synthetic case: "), ui.messageLabel.text
    features = widget.logic.analysis.findings.features
    assert {name.split("_")[0] for name in features} == {"precontrast", "arterial", "portal", "delayed"}
    assert {"tumor", "liver"} <= {name.split("_")[1] for name in features}


def test_a_real_run_is_cancelled_within_two_seconds(scene, open_module, nodes, phantom, until, children):
    widget = open_module("HCCHabitat")
    fill_in(widget, nodes, phantom)
    ui = widget.window.ui
    before = scene.GetNumberOfNodes()
    ui.applyButton.click()
    until(lambda: ui.progressBar.value > 0)
    began = time.monotonic()
    ui.applyButton.click()
    assert time.monotonic() - began < 2.0
    assert ui.messageLabel.text == "Cancelled; the scene is as it was."
    assert scene.GetNumberOfNodes() == before
    assert not children()


def test_the_worker_refuses_a_wrong_case_with_its_own_sentence(open_module, nodes, phantom, until):
    widget = open_module("HCCHabitat")
    fill_in(widget, nodes, phantom)
    ui = widget.window.ui
    from hccoutcome.scene.exchange import image_from_node, node_from_image

    flat = image_from_node(nodes.images["portal"]) * 0
    ui.portalSelector.setCurrentNode(node_from_image(flat, "Flat", nodes.scene))
    for button in (ui.applyButton, ui.featuresButton):
        button.click()
        until(lambda: ui.applyButton.text == "Apply", 120)
        assert "found 0" in ui.messageLabel.text
        assert ui.messageLabel.text.endswith(".")
    assert ui.resultsTable.rowCount == 0


@pytest.mark.parametrize("name", ["HCCHabitat", "HCCResponse", "HCCSurvival"])
def test_the_tests_that_ship_with_the_modules_pass(application, scene, name):
    import slicer
    from standin.application import ROOT

    application.load_module(ROOT / name / f"{name}.py")
    slicer.selfTests[name](msec=0)


def test_a_box_becomes_a_draft_whose_voxels_are_those_of_the_command_line(
    scene, open_module, nodes, phantom, until, tmp_path
):
    """From a markup of the scene through the built-in engine to a draft; then the same by ``hcc segment``."""
    import numpy as np
    import SimpleITK as sitk

    from hccoutcome.scene.drafts import drafts_in
    from hccoutcome.scene.exchange import mask_from_segment, region_from_segment
    from hccoutcome.scene.prompts import write_prompt

    widget = open_module("HCCSurvival")
    fill_in(widget, nodes, phantom)
    tumour = region_from_segment(nodes.segmentations[0], "tumor")
    parts = sitk.LabelShapeStatisticsImageFilter()
    parts.Execute(sitk.RelabelComponent(sitk.ConnectedComponent(tumour), sortByObjectSize=True))
    bounds = np.array(parts.GetBoundingBox(1))
    size, spacing = bounds[3:], np.array(tumour.GetSpacing())
    middle = (bounds[:3] + (size - 1) / 2).tolist()
    centre = np.array(tumour.TransformContinuousIndexToPhysicalPoint(middle)) * (-1, -1, 1)
    box = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    box.SetCenter(*centre)
    box.SetSize(*(size * spacing))
    ui = widget.window.ui
    ui.promptSelector.setCurrentNode(box)
    assert ui.outlineApplyButton.enabled, ui.outlineReadyLabel.text
    ui.outlineApplyButton.click()
    until(lambda: ui.outlineApplyButton.text == "Outline")
    (draft,) = drafts_in(nodes.case_id)
    assert draft.record["engine"] == "builtin"
    prompt = write_prompt(box, tmp_path)
    out = tmp_path / "draft.seg.nrrd"
    images = [
        word for phase, path in read_case_folder(phantom).images.items() for word in ("--image", f"{phase}={path.path}")
    ]
    order = [images[i : i + 2] for i in range(0, len(images), 2)]
    order.sort(key=lambda words: not words[1].startswith(widget.window.outlining.work.phase))
    words = [word for pair in order for word in pair]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            RUN_HCC,
            "segment",
            *words,
            "--roi",
            str(prompt),
            "--region",
            "tumor",
            "--out",
            str(out),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    volume = nodes.images[widget.window.outlining.work.phase]
    shown = sitk.GetArrayFromImage(mask_from_segment(draft.segmentation, "tumor", volume))
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(out)))
    np.testing.assert_array_equal(shown, written)
    largest = sitk.RelabelComponent(
        sitk.ConnectedComponent(mask_from_segment(nodes.segmentations[0], "tumor", volume)), sortByObjectSize=True
    )
    expert = sitk.GetArrayFromImage(largest) == 1
    dice = 2 * np.logical_and(shown, expert).sum() / (shown.sum() + expert.sum())
    assert dice > 0.75


def test_the_report_of_a_real_worker_shows_the_case_as_the_scene_does(open_module, nodes, phantom, until, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    widget = open_module("HCCSurvival")
    fill_in(widget, nodes, phantom)
    nodes.segmentations[0].GetSegmentation().GetSegment("tumor").SetName("The treated lesion")
    ui = widget.window.ui
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply", 120)
    ui.reportButton.click()
    until(lambda: opened or ui.applyButton.text == "Apply", 120)
    assert opened, ui.messageLabel.text
    text = Path(opened[0]).read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 3 * len(nodes.images) + 1
    assert "Radscore (TACE, arterial CT)" in text
