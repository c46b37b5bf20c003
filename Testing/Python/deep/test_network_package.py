"""A trained network as a package: the same score as the network, refused where it must be, proven before it is used."""

from __future__ import annotations

import builtins
import math
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from safetensors.torch import load, save  # noqa: E402
from small_packages import (  # noqa: E402
    a_case,
    dlopctr_package,
    selection_package,
    tci_package,
    without,
)

from hccoutcome.analysis import analyse  # noqa: E402
from hccoutcome.deep import package_network  # noqa: E402
from hccoutcome.deep.hazards import risk_of  # noqa: E402
from hccoutcome.deep.package import DeepConfig, clinical_row, network_input  # noqa: E402
from hccoutcome.deep.package_network import load_model  # noqa: E402
from hccoutcome.deep.screenshots import find_screenshots  # noqa: E402
from hccoutcome.errors import EnvironmentNeeded, InputError  # noqa: E402
from hccoutcome.imaging.prepare import prepare  # noqa: E402
from hccoutcome.package.container import NETWORK  # noqa: E402
from hccoutcome.package.reading import read_package  # noqa: E402
from hccoutcome.package.writing import write_package  # noqa: E402
from hccoutcome.systems import system_of  # noqa: E402

MAKERS = {"selection": selection_package, "tci": tci_package, "dlopctr": dlopctr_package}


def written(package, folder, name="package"):
    return read_package(write_package(package, folder / name))


def of_network(package, model, case) -> np.ndarray:
    """Return what the network itself gives for a case, without the way through the package."""
    config = DeepConfig.from_json(package.weights)
    masks = prepare(case.images, case.masks).masks
    seen = network_input(config, case.images, masks)
    clinical = torch.tensor([clinical_row(config, case.clinical)], dtype=torch.float32)
    with torch.no_grad():
        raw = model.raw(torch.from_numpy(seen.pixels)[None], torch.from_numpy(seen.present)[None], clinical)
    return raw[0].double().numpy().reshape(-1)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("form", ["package", "package.zip"])
def test_a_case_gets_the_score_that_the_network_gives(tmp_path, name, form):
    package, model = MAKERS[name]()
    case = a_case("MR" if name == "tci" else "CT")
    (prediction,) = analyse(case, [written(package, tmp_path, form)], explain=False).predictions
    raw = of_network(package, model, case)
    hazards = 1 / (1 + np.exp(-raw))
    expected = math.log(risk_of(hazards[None])[0]) if name == "dlopctr" else hazards[0]
    assert prediction.score == pytest.approx(expected, abs=1e-5)
    assert prediction.applicability.status == "warning"
    assert "generated data" in prediction.applicability.reasons[0]


def test_dlopctr_tells_survival_and_the_side_of_the_median(tmp_path):
    package, model = dlopctr_package()
    (prediction,) = analyse(a_case(), [written(package, tmp_path)], explain=False).predictions
    raw = of_network(package, model, a_case())
    alive = np.cumprod(1 - 1 / (1 + np.exp(-raw)))
    assert f"survival {alive[1]:.0%} at 12 months, {alive[3]:.0%} at 24 months" in prediction.label
    assert prediction.label.startswith("high risk" if prediction.score >= 0 else "low risk")


@pytest.mark.parametrize(("median", "words"), [(0.0, "low risk"), (1.0, "high risk")])
def test_a_score_that_reaches_the_median_means_low_risk(tmp_path, median, words):
    package, _ = selection_package(median=median)
    (prediction,) = analyse(a_case(), [written(package, tmp_path)], explain=False).predictions
    assert prediction.label.startswith(words)


@pytest.mark.parametrize("name", MAKERS)
def test_what_was_trained_on_phantoms_refuses_a_patient(tmp_path, name):
    package, _ = MAKERS[name]()
    patient = a_case("MR" if name == "tci" else "CT", synthetic=False)
    (prediction,) = analyse(patient, [written(package, tmp_path)], explain=False).predictions
    assert prediction.score is None
    assert "generated cases" in prediction.applicability.reasons[0]


def test_what_was_trained_on_patients_serves_patients(tmp_path):
    package, _ = selection_package(phantoms=False)
    (prediction,) = analyse(a_case(synthetic=False), [written(package, tmp_path)], explain=False).predictions
    assert prediction.score is not None


def test_a_missing_phase_is_a_warning_for_tci_and_refuses_selection(tmp_path):
    case = without(a_case("MR"), "portal")
    (prediction,) = analyse(case, [written(tci_package()[0], tmp_path, "tci")], explain=False).predictions
    whole = analyse(a_case("MR"), [read_package(tmp_path / "tci")], explain=False).predictions[0]
    assert prediction.score != pytest.approx(whole.score, abs=1e-6)
    assert any("portal phase is missing" in reason for reason in prediction.applicability.reasons)
    (refused,) = analyse(
        without(a_case(), "portal"), [written(selection_package()[0], tmp_path, "s")], explain=False
    ).predictions
    assert refused.score is None
    assert "needs the portal phase" in refused.applicability.reasons[0]


def test_images_that_are_no_ct_in_hu_are_refused_where_nobody_says_that_they_are(tmp_path):
    package = written(selection_package()[0], tmp_path)
    (bright,) = analyse(a_case(None), [package], explain=False).predictions
    assert bright.score is None
    assert "arterial image is read as CT in HU" in " ".join(bright.applicability.reasons)
    case = a_case(None)
    in_hu = replace(case, images={phase: image - 150.0 for phase, image in case.images.items()})
    (dark,) = analyse(in_hu, [package], explain=False).predictions
    assert dark.score is not None


def test_a_region_that_is_not_outlined_is_refused(tmp_path):
    case = a_case()
    case = replace(case, masks={"tumor": case.masks["tumor"]})
    (prediction,) = analyse(case, [written(selection_package()[0], tmp_path)], explain=False).predictions
    assert prediction.score is None
    assert "'liver'" in prediction.applicability.reasons[0]


def test_a_missing_variable_is_the_median_with_a_warning(tmp_path):
    package, _ = selection_package()
    columns = {column.name: column for column in DeepConfig.from_json(package.weights).columns}
    case = a_case()
    less = replace(case, clinical={name: value for name, value in case.clinical.items() if name != "alb"})
    (found,) = analyse(less, [written(package, tmp_path)], explain=False).predictions
    (median,) = analyse(
        a_case(alb=columns["alb"].fill), [read_package(tmp_path / "package")], explain=False
    ).predictions
    assert found.score == pytest.approx(median.score, abs=1e-6)
    assert any("'alb'" in reason and "missing" in reason for reason in found.applicability.reasons)
    assert [item.name for item in found.contributions] == ["age", "sex"]


def test_the_model_is_loaded_once_for_many_cases(tmp_path, monkeypatch):
    package = written(selection_package()[0], tmp_path)
    loads = []
    real = package_network._loaded
    monkeypatch.setattr(package_network, "_loaded", lambda key: loads.append(key.device) or real(key))
    package_network._kept.cache_clear()
    for age in (50.0, 60.0, 70.0):
        analyse(a_case(age=age), [package], explain=False, device="cpu")
    assert loads == ["cpu"]


def test_the_processor_does_where_the_asked_device_is_not_there_or_fails(tmp_path, monkeypatch):
    package = written(selection_package()[0], tmp_path)
    config = DeepConfig.from_json(package.weights)
    case = a_case()
    seen = network_input(config, case.images, prepare(case.images, case.masks).masks)
    row = clinical_row(config, case.clinical)
    expected, used = package_network.apply_network(package, config, seen, row, "mps")
    assert used == "cpu"
    if not torch.cuda.is_available():
        monkeypatch.setattr(package_network, "devices_here", lambda: ("cuda", "cpu"))
        found, used = package_network.apply_network(package, config, seen, row, "auto")
        assert used == "cpu"
        np.testing.assert_array_equal(found, expected)
    (told,) = analyse(case, [package], explain=False, device="mps").predictions
    assert "mps could not be used, so the processor computed it" in told.label
    with pytest.raises(InputError, match="gpu"):
        package_network.apply_network(package, config, seen, row, "gpu")


# --- what is wrong with a package ---------------------------------------------------------------------------------


def changed(package, **tensors):
    return replace(package, models={NETWORK: save({**load(package.models[NETWORK]), **tensors})}, sha256="")


def weights(package, **entries):
    return replace(package, weights={**package.weights, **entries}, sha256="")


BASE = selection_package()[0]
HEAD = load(BASE.models[NETWORK])["head.weight"]
FIRST, CASES = BASE.vectors["cases"][0], len(BASE.vectors["cases"])
LARGER = weights(BASE, view={**BASE.weights["view"], "pixels": 64})
TCI = tci_package()[0]


@pytest.mark.parametrize(
    ("package", "says"),
    [
        (changed(BASE, **{"head.weight": HEAD * 1.5}), "other results"),
        (changed(BASE, **{"head.weight": HEAD[:, :3].contiguous()}), "another shape"),
        (changed(BASE, **{"head.weight": HEAD.half()}), "another shape or type"),
        (changed(BASE, **{"head.weight": HEAD * math.nan}), "not finite"),
        (changed(BASE, extra=HEAD), "not those of its network"),
        (replace(BASE, models={NETWORK: BASE.models[NETWORK][:200]}), "damaged"),
        (weights(BASE, size={**BASE.weights["size"], "width": 10**9}), "no length"),
        (weights(BASE, size={**BASE.weights["size"], "heads": 0}), "not one of selection"),
        (weights(BASE, size={**BASE.weights["size"], "heads": 5}), "not one of selection"),
        (weights(BASE, size={**BASE.weights["size"], "width": 4096}), "another shape"),
        (weights(BASE, size={**BASE.weights["size"], "secret": 1}), "not one of selection"),
        (replace(BASE, vectors={**BASE.vectors, "expected": []}), "result for each"),
        (replace(BASE, vectors={**BASE.vectors, "pixels": 31}), "result for each"),
        (replace(BASE, vectors={**BASE.vectors, "planes": 3}), "result for each"),
        (replace(LARGER, vectors={**BASE.vectors, "pixels": 64}), "does not fit how it is to look"),
        (replace(BASE, vectors={**BASE.vectors, "expected": [["x"]] * CASES}), "results of another network"),
        (replace(BASE, vectors={**BASE.vectors, "cases": [dict(FIRST, seed=-1)] * CASES}), "a seed and a number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_weights_that_are_not_the_networks_are_refused(package, says):
    with pytest.raises(InputError, match=says):
        load_model(package, "cpu")


@pytest.mark.parametrize(
    ("package", "says"),
    [
        (weights(BASE, system="tci"), "'view'"),
        (weights(BASE, view={**BASE.weights["view"], "pixels": "many"}), "'view'"),
        (weights(BASE, view={**BASE.weights["view"], "pixels": 10**7}), "'view'"),
        (weights(BASE, view={**BASE.weights["view"], "pixels": 0}), "'view'"),
        (weights(BASE, view={**BASE.weights["view"], "pixel": 0.0}), "'view'"),
        (weights(BASE, view={**BASE.weights["view"], "thickness": 1e-7}), "'view'"),
        (weights(BASE, view={**BASE.weights["view"], "low": 350.0}), "'view'"),
        (weights(BASE, view={**BASE.weights["view"], "phases": ["portal", "portal"]}), "'view'"),
        (weights(TCI, view={**TCI.weights["view"], "percentiles": [0.5]}), "'view'"),
        (weights(TCI, view={**TCI.weights["view"], "percentiles": [99.5, 0.5]}), "'view'"),
        (weights(TCI, view={**TCI.weights["view"], "levels": 1}), "'view'"),
        (weights(TCI, view={**TCI.weights["view"], "pixels": 4096}), "'view' asks for more than 16777216 pixels"),
        (weights(BASE, median=-3.0), "'median'"),
        (weights(BASE, view={**BASE.weights["view"], "phases": ["portal"]}), "other phases"),
        (weights(BASE, columns=[]), "other phases or variables"),
        (weights(BASE, model="dream"), "dream"),
        (weights(BASE, more=1), "more"),
        (weights(BASE, breaks=["a"]), "finite numbers"),
        (replace(BASE, models={}), NETWORK),
        (replace(BASE, vectors={}), "results to check"),
        (replace(BASE, system="tci"), "package.json says tci"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parts_that_do_not_belong_together_are_refused(package, says):
    with pytest.raises(InputError, match=says):
        system_of(package)


def test_a_changed_byte_of_the_weights_is_noticed_before_anything_is_read(tmp_path):
    folder = write_package(BASE, tmp_path / "package")
    path = folder / NETWORK
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"network\.safetensors.* was changed"):
        read_package(folder)
    path.write_bytes(b"\x80\x04" + bytes(100))
    with pytest.raises(InputError, match="does not"):
        read_package(folder)


def test_without_pytorch_the_need_is_told(tmp_path, monkeypatch):
    package = written(BASE, tmp_path)
    real = builtins.__import__

    def without_torch(name, *rest, **more):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(EnvironmentNeeded, match=r"found no 'torch'.*pip install 'hccoutcome\[deep\]'"):
        analyse(a_case(), [package], explain=False)


def test_the_same_network_gives_the_same_bytes(tmp_path):
    again, _ = selection_package()
    first, second = (write_package(package, tmp_path / name) for package, name in ((BASE, "a"), (again, "b")))
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_screenshots_take_the_place_of_phases_for_tci_and_are_marked(tmp_path):
    draw = np.random.default_rng(4)
    for name in ("arterial", "portal_+1"):
        levels = draw.integers(0, 255, (64, 64)).astype(np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(levels), str(tmp_path / f"{name}.png"))
    shots = find_screenshots(tmp_path)
    package = written(tci_package()[0], tmp_path)
    bare = replace(a_case("MR"), images={}, masks={})
    (found,) = analyse(bare, [package], explain=False, screenshots=shots).predictions
    assert found.score is not None
    assert "read from screenshots" in found.label
    assert sum("read from screenshots" in reason for reason in found.applicability.reasons) == 2
    both = analyse(a_case("MR"), [package], explain=False, screenshots=shots).predictions[0]
    assert both.score is None
    assert "both as an image and as a screenshot" in both.applicability.reasons[0]
    (other,) = analyse(a_case(), [written(BASE, tmp_path, "s")], explain=False, screenshots=shots).predictions
    assert other.score is not None  # another network does not look at them
