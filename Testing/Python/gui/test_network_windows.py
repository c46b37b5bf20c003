"""Networks in the windows: scores, ATOM and maps by the real worker, with the numbers of the command line."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from text_fits import cut_texts
from window_steps import cells, choose

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deep"))

from planted_cases import write_case  # noqa: E402
from small_packages import dlopctr_package, selection_package, tci_package  # noqa: E402

from hccoutcome.cli import main  # noqa: E402
from hccoutcome.deep.relevance import read_relevance  # noqa: E402
from hccoutcome.loading import load_case, read_case_folder  # noqa: E402
from hccoutcome.package.writing import write_package  # noqa: E402

TARGETS = {"tace": "response", "haic": "response", "tc": "one-year survival", "hc": "one-year survival"}
ROUNDING = 1e-5
"""The case is oblique: its axes go through a matrix of the scene, which rounds them in the last digits."""
MEDIANS = {"tace": 0.01, "haic": 0.99, "tc": 0.99, "hc": 0.01}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A generated case and packages of small networks, whose medians decide what ATOM recommends."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("networks")
    record = {"age": 61.0, "sex": "male", "alb": 36.0}
    write_case(folder / "case", "case-1", 0.8, record, "CT", True, np.random.default_rng(1))
    write_case(folder / "case-MR", "case-1", 0.8, record, "MR", True, np.random.default_rng(1))
    for name, target in TARGETS.items():
        package = replace(
            selection_package(target, median=MEDIANS[name])[0], name=f"{name}-small", title=f"Small {name}"
        )
        write_package(package, folder / f"{name}-small")
    survival = replace(dlopctr_package()[0], endpoint="overall survival", title="Small DLOPCTR")
    write_package(survival, folder / "dlopctr-small")
    write_package(replace(tci_package()[0], title="Small TCI"), folder / "tci-small")
    return folder


@pytest.fixture
def case_name():
    """Which of the generated cases is in the scene."""
    return "case"


@pytest.fixture
def nodes(scene, root, case_name):
    """The generated case in the scene."""
    from hccoutcome.scene.build import add_case

    return add_case(load_case(read_case_folder(root / case_name)))


@pytest.fixture
def opened(open_module, nodes, root):
    """Open a window with the case filled in."""

    def window_of(name: str):
        widget = open_module(name)
        ui = widget.window.ui
        ui.caseIdEdit.text = nodes.case_id
        ui.guessButton.click()
        ui.segmentationSelector.setCurrentNode(nodes.segmentations[0])
        widget.window.state.case.clinical = {"age": "61", "sex": "male", "alb": "36"}
        return widget

    return window_of


def give(ui, root: Path, *names: str) -> None:
    """Name the packages of ATOM in their fields."""
    for name in names:
        getattr(ui, f"atom{name.title()}Package").currentPath = str(root / f"{name}-small")


def add_package(ui, path: Path, monkeypatch) -> None:
    import qt

    chosen = str(path / "package.json")
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", staticmethod(lambda *words: chosen))
    ui.addPackageButton.click()


def tick_last(ui) -> None:
    import qt

    ui.modelsList.item(ui.modelsList.count - 1).setCheckState(qt.Qt.Checked)


def run(*words: object) -> int:
    return main(list(map(str, words)))


def same(volume, image) -> None:
    """Compare two volumes, voxel by voxel and place by place."""
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(volume), sitk.GetArrayFromImage(image), rtol=ROUNDING, atol=ROUNDING
    )
    for part in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(volume, part)(), getattr(image, part)(), rtol=0, atol=1e-6)


def assert_nothing_is_cut_at_a_larger_font(widget) -> None:
    """At 125 % and the width of Slicer's module panel, all groups open."""
    import slicer

    usual, font = slicer.app.font(), slicer.app.font()
    font.setPointSizeF(1.25 * usual.pointSizeF())
    slicer.app.setFont(font)
    try:
        for name in ("atomButton", "mapsButton", "outputButton"):
            getattr(widget.window.ui, name).collapsed = False
        widget.parent.show()
        for height in (3000, 6000):  # groups that were opened take their room in a second pass
            widget.parent.resize(500, height)
            slicer.app.processEvents()
        assert widget.parent.width <= 500
        assert cut_texts(widget.parent) == []
        widget.parent.hide()
    finally:
        slicer.app.setFont(usual)


# --- scores


@pytest.mark.parametrize(
    ("module", "package", "case_name"),
    [("HCCSurvival", "dlopctr-small", "case"), ("HCCResponse", "tci-small", "case-MR")],
)
def test_a_network_gives_the_score_of_the_command_line_on_the_device_that_is_chosen(
    module, package, case_name, opened, root, monkeypatch, until, tmp_path, capsys
):
    ui = (window := opened(module).window).ui
    add_package(ui, root / package, monkeypatch)
    tick_last(ui)
    choose(ui.deviceBox, "NVIDIA card (CUDA)")
    assert window.state.device == "NVIDIA card (CUDA)"
    assert ui.applyButton.enabled, ui.readyLabel.text
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply", 120)
    (found,) = window.analysis.findings.predictions
    words = ["--package", root / package, "--case", root / case_name, "--no-scene", "--no-report"]
    assert run("analyse", *words, "--device", "cuda", "--out", tmp_path) == 0
    capsys.readouterr()
    (expected,) = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["results"]
    assert found.score == pytest.approx(expected["score"], rel=ROUNDING)
    assert found.label == expected["label"]
    assert found.applicability.status == expected["applicability"]["status"]
    if not torch.cuda.is_available():
        assert "cuda could not be used, so the processor computed it" in cells(ui.resultsTable)[0][1]


# --- ATOM


def test_atom_waits_with_a_reason_beside_the_field_until_its_packages_fit(opened, root):
    widget = opened("HCCResponse")
    ui = widget.window.ui
    assert not ui.atomApplyButton.enabled
    assert ui.atomReadyLabel.text == "Choose the package of TACE, of HAIC, or of both."
    ui.atomTacePackage.currentPath = str(root / "tc-small")
    assert "ATOM's model TACE predicts objective response to TACE" in ui.atomTaceMessage.text
    assert not ui.atomTaceMessage.isHidden()
    assert ui.atomReadyLabel.text == "Correct the package of TACE."
    ui.atomTacePackage.currentPath = "albi"
    assert "holds no network" in ui.atomTaceMessage.text
    ui.atomTacePackage.currentPath = str(root / "no-such-folder")
    assert "There is no package" in ui.atomTaceMessage.text
    give(ui, root, "tace")
    assert ui.atomTaceMessage.isHidden()
    assert ui.atomApplyButton.enabled, ui.atomReadyLabel.text
    assert dict(widget.window.state.atom_packages) == {"TACE": str(root / "tace-small")}
    ui.arterialSelector.setCurrentNode(None)
    assert ui.atomReadyLabel.text == "Choose the volume of the arterial phase."


@pytest.fixture
def advised(opened, root, until):
    """HCC Response after ATOM was asked with all but one of its packages."""
    widget = opened("HCCResponse")
    ui = widget.window.ui
    give(ui, root, "tace", "haic", "tc")
    assert ui.atomApplyButton.enabled, ui.atomReadyLabel.text
    ui.atomApplyButton.click()
    assert ui.atomApplyButton.text == "Cancel"
    assert not ui.applyButton.enabled
    until(lambda: ui.atomApplyButton.text == "Ask ATOM", 120)
    assert ui.atomMessageLabel.text.startswith("Done of the synthetic case"), ui.atomMessageLabel.text
    return widget


def test_the_advice_reads_in_order_is_that_of_the_command_line_and_is_kept_in_the_scene(
    advised, application, open_module, root, tmp_path, capsys
):
    ui = advised.window.ui
    words = [word for name in ("tace", "haic", "tc") for word in (f"--{name}", root / f"{name}-small")]
    assert run("atom", *words, "--case", root / "case", "--out", tmp_path) == 0
    capsys.readouterr()
    expected = json.loads((tmp_path / "atom.json").read_text(encoding="utf-8"))
    advice = advised.logic.atom.findings.advice
    assert dict(advice.scores) == pytest.approx(expected["scores"], rel=ROUNDING)
    assert (dict(advice.models), dict(advice.remarks)) == (expected["models"], expected["remarks"])
    assert advice.recommendation.plan == expected["recommendation"]["plan"]
    text = ui.atomLabel.text
    steps = [step["text"] for step in expected["recommendation"]["steps"]]
    order = [
        expected["recommendation"]["text"],
        "Stage 1",
        *steps[:2],
        "Stage 2",
        steps[2],
        "No package was given for HC",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "not a medical device" in text
    scores = {row[0]: row[1] for row in cells(ui.resultsTable)}
    assert {f"Small {name}" for name in ("tace", "haic", "tc")} <= set(scores)
    from hccoutcome.scene.exchange import table_from_node
    from hccoutcome.scene.nodes import nodes_of
    from hccoutcome.scene.store import load_scene, save_scene

    path = save_scene(tmp_path / "scene.mrb")
    import slicer

    slicer.mrmlScene.Clear(0)
    assert advised.window.ui.atomLabel.text == ""
    table = nodes_of(load_scene(path), "case-1").findings["atom"]
    assert list(table_from_node(table)["Stage"]) == ["1", "1", "2", "Recommendation"]
    application.leave(advised)
    again = open_module("HCCResponse").window
    assert again.ui.atomLabel.text == text
    assert again.ui.atomHaicPackage.currentPath.endswith("haic-small")
    assert again.ui.atomApplyButton.enabled, again.ui.atomReadyLabel.text


def test_the_report_holds_the_advice_and_it_stays_when_a_score_is_computed_afterwards(advised, until, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    ui, window = advised.window.ui, advised.window
    ui.reportButton.click()
    until(lambda: opened, 120)
    html = Path(opened[0]).read_text(encoding="utf-8")
    assert advised.logic.atom.findings.advice.recommendation.text in html
    text = ui.atomLabel.text
    names = list(window.models.models)
    ui.modelsList.item(names.index("haic-mri-clinical")).setCheckState(qt.Qt.Checked)
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply", 120)
    assert window.analysis.findings is not None, ui.messageLabel.text
    assert ui.atomLabel.text == text
    assert_nothing_is_cut_at_a_larger_font(advised)


def test_atom_is_cancelled_and_leaves_the_scene(opened, root, scene, children, until):
    ui = opened("HCCResponse").window.ui
    give(ui, root, "tace", "tc")
    before = scene.GetNumberOfNodes()
    ui.atomApplyButton.click()
    until(lambda: ui.atomBar.value > 0)
    ui.atomApplyButton.click()
    assert ui.atomMessageLabel.text == "Cancelled; the scene is as it was."
    assert (ui.atomApplyButton.text, ui.applyButton.text) == ("Ask ATOM", "Apply")
    assert scene.GetNumberOfNodes() == before
    assert not children()


# --- maps


def test_maps_wait_for_a_package_with_a_network(opened, root, monkeypatch):
    widget = opened("HCCSurvival")
    ui = widget.window.ui
    assert not ui.mapsApplyButton.enabled
    assert ui.mapsReadyLabel.text.startswith("Add a package with a network")
    add_package(ui, root / "dlopctr-small", monkeypatch)
    assert ui.mapsApplyButton.enabled, ui.mapsReadyLabel.text
    methods = [ui.mapsMethodBox.itemText(index) for index in range(ui.mapsMethodBox.count)]
    assert methods == ["Grad-CAM", "SHAP"], "it has no attention to follow"
    choose(ui.mapsMethodBox, methods[1])
    assert widget.window.state.maps.method == "shap"


def test_maps_come_into_the_scene_with_the_voxels_of_the_command_line(opened, root, nodes, until, tmp_path, capsys):
    import slicer

    from hccoutcome.scene.exchange import image_from_node, table_from_node
    from hccoutcome.scene.nodes import nodes_of

    widget = opened("HCCResponse")
    ui, window = widget.window.ui, widget.window
    give(ui, root, "tace")
    window.state.output_folder = str(tmp_path / "kept")
    choose(ui.mapsMethodBox, "Attention")
    assert ui.mapsApplyButton.enabled, ui.mapsReadyLabel.text
    ui.mapsApplyButton.click()
    until(lambda: ui.mapsApplyButton.text == "Map", 120)
    assert ui.mapsMessageLabel.text == "Done: 2 maps in the scene.", ui.mapsMessageLabel.text
    words = ["--package", root / "tace-small", "--method", "rollout", "--case", root / "case"]
    assert run("maps", *words, "--out", tmp_path / "cli") == 0
    capsys.readouterr()
    _, maps, seen = read_relevance(tmp_path / "cli")
    found = nodes_of(nodes.scene, nodes.case_id).findings
    for one in maps:
        volume = image_from_node(found[f"relevance:tace-small:{one.name}"])
        same(volume, one.image)
    for one in seen:
        volume = image_from_node(found[f"seen:tace-small:{one.name}"])
        same(volume, one.image)
    shares = table_from_node(found["relevance:tace-small:rollout:shares"])
    assert sum(shares["Part"]) == pytest.approx(1.0)
    assert (tmp_path / "kept" / "case-1" / "maps" / "tace-small" / "maps.json").is_file()
    assert "Arterial phase" in ui.mapsLabel.text
    titles = [ui.mapsVolumeBox.itemText(index) for index in range(ui.mapsVolumeBox.count)]
    assert titles[0] == "Attention of tace-small, Arterial phase"
    assert titles[-1] == "What tace-small sees, Portal venous phase"
    choose(ui.mapsVolumeBox, titles[-1])
    ui.mapsShowButton.click()
    layers = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert layers.GetForegroundVolumeID() == found["seen:tace-small:portal"].GetID()
    assert layers.GetBackgroundVolumeID() == nodes.images["portal"].GetID()
    ui.mapsOpacitySlider.setValue(0.25)
    assert layers.GetForegroundOpacity() == 0.25
    assert_nothing_is_cut_at_a_larger_font(widget)
    window.state.case.arterial = window.state.case.portal = None
    ui.guessButton.click()
    assert ui.arterialSelector.currentNode() is nodes.images["arterial"], "maps are no images"


def test_what_the_worker_refuses_is_said_beside_the_button(opened, root, until, nodes):
    ui = (window := opened("HCCResponse").window).ui
    give(ui, root, "tace")
    for volume in nodes.images.values():
        volume.RemoveAttribute("HCC.synthetic")
    ui.mapsApplyButton.click()
    until(lambda: ui.mapsApplyButton.text == "Map", 120)
    assert "generated cases" in ui.mapsMessageLabel.text
    assert window.works and not window.running


def test_the_libraries_of_a_network_are_asked_for_when_it_is_used(opened, root, monkeypatch):
    from hccoutcome.errors import EnvironmentNeeded
    from hccoutcome.gui import compat

    asked = []

    def decline(slicer, purposes, requester, declined):
        asked.append(tuple(purposes))
        raise EnvironmentNeeded("This needs PyTorch.")

    monkeypatch.setattr(compat, "ensure_requirements", decline)
    widget = opened("HCCResponse")
    ui = widget.window.ui
    give(ui, root, "tace")
    ui.atomApplyButton.click()
    ui.mapsApplyButton.click()
    assert asked == [("analysis", "deep"), ("analysis", "deep")]
    assert ui.atomMessageLabel.text == ui.mapsMessageLabel.text == "This needs PyTorch."
    add_package(ui, root / "tace-small", monkeypatch)
    tick_last(ui)
    ui.applyButton.click()
    assert asked[-1] == ("analysis", "deep")
