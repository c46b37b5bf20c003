"""Habitats with the real worker: the numbers of the command line, the score's features, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from window_steps import choose, fill_in

from hccoutcome.case import Case
from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.loading import load_case, read_case_folder
from hccoutcome.response.haic_mri import HaicCRH

LEVELS = {
    "precontrast": (90, 60, 70, 80),
    "arterial": (100, 70, 150, 110),
    "portal": (140, 80, 120, 160),
    "delayed": (130, 90, 110, 150),
}
"""Grey level of the surroundings and of three shells of the tumour, by phase."""
SHIFT = {"arterial": (1.0, 0.0, 0.0)}
"""How far a phase lies off (mm)."""
HABITATS = ("habitat1", "habitat2", "habitat3")
QUICK = ("--settings", "none", "--resample", "--no-scene")
FILES = ("features.csv", "habitats.csv", "elbow.csv", "habitats.json")


def small_mr() -> Case:
    """Four MR phases of a ball with a core and two shells in a body among air."""
    z, y, x = np.mgrid[:20, :36, :36].astype(float)
    radius = np.sqrt((2 * (z - 10)) ** 2 + (1.5 * (y - 18)) ** 2 + (1.5 * (x - 18)) ** 2)
    shell = np.select([radius < 7, radius < 11, radius < 15], [1, 2, 3], 0)
    body = (2 * (z - 9)) ** 2 + (1.3 * (y - 17)) ** 2 + (1.1 * (x - 16)) ** 2 < 19**2
    draw = np.random.default_rng(3)
    tissue = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(of_array(draw.normal(0, 300, shell.shape)), 4.0))
    images = {}
    for phase, levels in LEVELS.items():
        noise = draw.normal(0, 3, shell.shape)
        tumour = np.choose(shell, levels) + tissue * (shell == 0)
        images[phase] = of_array((tumour * body + noise).clip(0).round())
        images[phase].SetOrigin(SHIFT.get(phase, (0.0, 0.0, 0.0)))
    mask = sitk.Cast(of_array((shell > 0).astype(float)), sitk.sitkUInt8)
    return Case("small", images, {"tumor": (mask,)}, modality="MR")


def of_array(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.SetSpacing((1.5, 1.5, 2.0))
    return image


def written(case: Case, folder: Path) -> list[str]:
    """Write a case and return the options that name it."""
    folder.mkdir()
    options = []
    for phase, image in case.images.items():
        sitk.WriteImage(image, str(folder / f"{phase}.nrrd"))
        options += ["--image", f"{phase}={folder / phase}.nrrd"]
    for region, (mask,) in case.masks.items():
        sitk.WriteImage(mask, str(folder / f"{region}-mask.nrrd"))
        options += ["--mask", f"{region}={folder / region}-mask.nrrd"]
    return options


def as_scene_case(case: Case):
    """Put a case into the scene and name it as a script does."""
    from hccoutcome.scene.build import add_case
    from hccoutcome.scene.inputs import SceneCase

    nodes = add_case(case)
    return SceneCase(
        case_id=case.case_id,
        volumes=nodes.images,
        segmentation=nodes.segmentations[0],
        segments={region: (region,) for region in case.masks},
        modality=case.modality,
    )


@pytest.fixture
def logic(application, scene):
    """The logic of a module by name."""
    from standin.application import ROOT

    def logic_of(name):
        module, _ = application.load_module(ROOT / name / f"{name}.py")
        return getattr(module, f"{name}Logic")()

    return logic_of


@pytest.fixture(scope="module")
def mr_phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Case folder of a very coarse synthetic patient in MR."""
    from hccoutcome.phantom import PhantomSettings, write_phantom

    settings = PhantomSettings(modality="MR", spacing=(8.0, 8.0, 8.0))
    return write_phantom(tmp_path_factory.mktemp("phantom") / "mr", 1, settings)


def same_files(first: Path, second: Path, names=FILES) -> None:
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_phantoms_habitats_are_those_of_the_command_line(logic, mr_phantom, tmp_path):
    """Every digit of features, volumes, measures and curve, four sequences of MR, all settings as they come."""
    case = load_case(read_case_folder(mr_phantom))
    found = logic("HCCHabitat").process(as_scene_case(case), out=tmp_path / "window")
    assert main(["habitat", "--case", str(mr_phantom), "--no-scene", "--out", str(tmp_path / "command")]) == 0
    same_files(tmp_path / "window" / case.case_id / "habitats", tmp_path / "command")
    assert found.provenance["synthetic"]
    with (tmp_path / "command" / "features.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert {name: float(value) for name, value in row.items()} == found.features
    assert {name.split("_")[0] for name in row} == set(LEVELS)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``hcc habitat --prepare mri`` writes of the small case."""
    folder = tmp_path_factory.mktemp("prepared")
    options = written(small_mr(), folder / "in")
    quick = ["--k", "3", "--repeats", "0", "--prepare", "mri", "--no-scene", "--case-id", "small"]
    assert main(["habitat", *options, *quick, "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_prepared_habitats_are_those_of_the_command_line(logic, prepared, tmp_path):
    """N4, 1 mm, registration, 0 to 255: the whole published way; and the score, which measures the very same voxels."""
    settings = HabitatSettings(k=3, repeats=0)
    work = logic("HCCHabitat")
    case = as_scene_case(small_mr())
    result = work.process(case, settings=settings, preparation="mri", out=tmp_path)
    same_files(tmp_path / "small" / "habitats", prepared, (*FILES, "registration.csv"))
    assert len(result.features) == 3 * 4 * (93 + 2)
    assert {check.phase for check in result.checks} == {"precontrast", "arterial", "delayed"}
    segmentation = work.habitats.nodes.findings["habitats"]
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 3
    labels = sitk.ReadImage(str(prepared / "habitats.nii.gz"))
    assert labels.GetSpacing() == pytest.approx((1.0, 1.0, 1.0))
    features = score_features(logic, case, segmentation)
    assert features == analysed(labels, tmp_path / "analysed")
    portal = {name for name in set(features) & set(result.features) if name.startswith("portal_")}
    assert {"portal_habitat1_original_firstorder_Minimum"} < portal
    for name in portal:
        assert features[name] == pytest.approx(result.features[name], rel=1e-6), f"{name}: the very same voxels"


def test_the_score_reads_what_the_command_line_reads_of_the_same_habitats(logic, tmp_path):
    """The scene's habitats as regions of HCC Response, and as masks of ``hcc analyse``: the same features."""
    work = logic("HCCHabitat")
    case = as_scene_case(small_mr())
    work.process(case, settings=HabitatSettings(k=3, repeats=0, radiomics=None, resample=True), out=tmp_path)
    labels = sitk.ReadImage(str(tmp_path / "small" / "habitats" / "habitats.nii.gz"))
    features = score_features(logic, case, work.habitats.nodes.findings["habitats"])
    assert features == analysed(labels, tmp_path / "analysed")


def score_features(logic, case, segmentation) -> dict[str, float]:
    """Return what HCC Response extracts for the score, the habitats handed over."""
    from dataclasses import replace

    found = logic("HCCResponse").process(replace(case, habitats=segmentation), packages=["haic-mri-crh"])
    assert set(HaicCRH.needs.features) <= set(found.features), found.predictions[0].applicability
    return dict(found.features)


def analysed(labels: sitk.Image, folder: Path) -> dict[str, float]:
    """Return the features of ``hcc analyse`` with the habitats of ``hcc habitat`` as masks."""
    case = small_mr()
    masks = {key: (sitk.Cast(labels == int(key[-1]), sitk.sitkUInt8),) for key in HABITATS}
    given = {**case.masks, **masks}
    options = written(Case("small", case.images, given), folder)
    out = folder / "out"
    quiet = ["--no-scene", "--no-report", "--modality", "MR", "--case-id", "small"]
    assert main(["analyse", *options, *quiet, "--package", "haic-mri-crh", "--out", str(out)]) == 2, "no reference"
    return json.loads((out / "result.json").read_text(encoding="utf-8"))["features"]


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.fixture
def window(open_module, scene):
    """The window with the small case, set to be quick."""
    from hccoutcome.scene.build import add_case

    nodes = add_case(small_mr())
    widget = open_module("HCCHabitat")
    fill_in(widget, nodes)
    choose(widget.window.ui.preparationBox, "none")
    choose(widget.window.ui.featuresBox, "none")
    return widget.window, nodes


def refusal(window, until) -> str:
    before = window.state.parameterNode.GetScene().GetNumberOfNodes()
    window.ui.applyButton.click()
    until(lambda: window.ui.applyButton.text == "Apply", 120)
    assert window.state.parameterNode.GetScene().GetNumberOfNodes() == before
    return window.ui.messageLabel.text


def test_a_region_smaller_than_the_number_of_habitats_is_refused(window, until):
    from hccoutcome.scene.exchange import segment_from_mask

    shown, nodes = window
    few = np.zeros((20, 36, 36), np.uint8)
    few[10, 18, 16:19] = 1
    mask = sitk.GetImageFromArray(few)
    mask.CopyInformation(small_mr().images["portal"])
    segmentation = nodes.segmentations[0].GetSegmentation()
    segmentation.RemoveSegment("tumor")
    segmentation.AddSegment(segment_from_mask(mask, "Tumour"), "tumor")
    choose(shown.ui.numberBox, "5")
    shown.ui.resampleBox.click()
    sentence = (
        "5 habitats need a region of at least 5 voxels, found 3: outline a larger region or ask for fewer habitats."
    )
    assert refusal(shown, until) == sentence


def test_phases_on_other_voxels_are_refused_until_that_is_allowed(window, until):
    shown, _ = window
    sentence = refusal(shown, until)
    assert sentence.startswith("The arterial image was expected on the grid of the mask, but they differ: origin")
    shown.ui.resampleBox.click()
    shown.ui.applyButton.click()
    until(lambda: shown.ui.applyButton.text == "Apply", 120)
    assert shown.ui.messageLabel.text.startswith("Done: "), shown.ui.messageLabel.text


def learnt(method: str, folder: Path) -> tuple[list[str], Path]:
    """Learn a habitat package of one patient; return the options that name the patient, and the package."""
    options, package = written(small_mr(), folder / "in"), folder / "package"
    paths = dict(word.split("=") for word in options[1::2])
    columns = {"case_id": "a", **{f"image_{name}": paths[name] for name in LEVELS}, "mask_tumor": paths["tumor"]}
    table = folder / "cohort.csv"
    table.write_text(f"{','.join(columns)}\n{','.join(columns.values())}\n", encoding="utf-8")
    words = ["--cohort", str(table), "--package", str(package), "--method", method, "--out", str(folder / "cohort")]
    assert main(["habitat", *words, "--k", "3", "--repeats", "0", *QUICK]) == 0
    return options, package


def test_a_package_of_other_phases_is_refused_before_any_work(window, tmp_path):
    shown, _ = window
    _, package = learnt("pooled", tmp_path)
    choose(shown.ui.methodBox, "pooled")
    shown.ui.packageFolder.currentPath = str(package)
    assert shown.ui.applyButton.enabled, shown.ui.readyLabel.text
    shown.ui.delayedSelector.setCurrentNode(None)
    assert "needs the delayed phase too" in shown.ui.readyLabel.text
    model = package / "habitat-model.json"
    model.write_text(model.read_text(encoding="utf-8").replace('"pooled"', '"two-step"'), encoding="utf-8")
    shown.refresh()
    assert "(its SHA256 differs)" in shown.ui.readyLabel.text


def test_a_package_is_applied_as_the_command_line_applies_it(logic, tmp_path):
    options, package = learnt("two-step", tmp_path)
    apply = [*options, "--package", str(package), "--method", "two-step", "--case-id", "small"]
    assert main(["habitat", *apply, *QUICK, "--out", str(tmp_path / "command")]) == 0
    settings = HabitatSettings(method="two-step", radiomics=None, resample=True)
    case = as_scene_case(small_mr())
    logic("HCCHabitat").process(case, settings=settings, package=package, out=tmp_path / "window")
    same_files(tmp_path / "window" / "small" / "habitats", tmp_path / "command")


def test_a_script_that_names_no_outlined_region_gets_a_sentence(logic):
    with pytest.raises(InputError, match="Habitats divide the region 'liver', found no segment of it"):
        logic("HCCHabitat").process(as_scene_case(small_mr()), "liver")
