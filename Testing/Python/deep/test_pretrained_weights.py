"""``hcc train tci|dlopctr --weights FILE`` from a checkpoint in the standard format to a package that gives scores.

The ResNet is narrow and shallow in place of the papers'; names, stages and the way through the commands are the same.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from planted_cases import write_cases  # noqa: E402
from standard_weights import standard  # noqa: E402

from hccoutcome.cli import main  # noqa: E402
from hccoutcome.cohort.deep_settings import USUAL  # noqa: E402
from hccoutcome.deep.package_network import load_model  # noqa: E402
from hccoutcome.deep.resnet import DLOPCTR_EXTRACTOR, TCI_EXTRACTOR  # noqa: E402
from hccoutcome.deep.weights import read_resnet  # noqa: E402
from hccoutcome.errors import InputError  # noqa: E402
from hccoutcome.package.reading import read_package  # noqa: E402

WIDEN = 0.125
SYSTEMS = {"tci": ("MR", TCI_EXTRACTOR, (3, 1, 1, 1)), "dlopctr": ("CT", DLOPCTR_EXTRACTOR, (1, 2, 1, 1))}
LOOP = ("--epochs", "2", "--batch", "8", "--device", "cpu", "--json")


@pytest.fixture(scope="module", params=SYSTEMS)
def narrow(request, tmp_path_factory) -> tuple[str, Path]:
    """The name of a system, and its table; its ResNet is narrow, and no augmented views are made beforehand."""
    system = request.param
    modality, extractors, blocks = SYSTEMS[system]
    size = replace(extractors["base"], blocks=blocks, widen=WIDEN)
    table = write_cases(tmp_path_factory.mktemp(system), 26, modality, seed=2)
    patch = pytest.MonkeyPatch()
    patch.setitem(extractors, "base", size)
    patch.setitem(USUAL, system, replace(USUAL[system], variants=0))
    request.addfinalizer(patch.undo)
    return system, table


def train(narrow: tuple[str, Path], weights: Path, out: Path) -> int:
    system, table = narrow
    words = ["train", system, table, "--images", table.parent, "--weights", weights, "--out", out, *LOOP]
    return main([str(word) for word in words])


def test_a_checkpoint_in_the_standard_format_is_learned_on_and_kept(narrow, tmp_path, capsys):
    weights = standard(SYSTEMS[narrow[0]][2], WIDEN)
    torch.save(weights, tmp_path / "resnet.pth")
    assert train(narrow, tmp_path / "resnet.pth", tmp_path / "package") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["value"] is not None
    package = read_package(tmp_path / "package")
    assert package.settings["weights"] == "ImageNet"
    assert not package.settings["from_scratch"]
    extractor = load_model(package, "cpu").network.extractor
    assert torch.equal(extractor.stem[0].weight, weights["conv1.weight"])
    assert torch.equal(extractor.stages[2][0].conv2.weight, weights["layer3.0.conv2.weight"])
    words = ["--case", narrow[1].parent / "case-00", "--package", tmp_path / "package", "--out", tmp_path / "out"]
    assert main(["analyse", *map(str, words), "--no-scene", "--no-report"]) == 0


def renamed(weights: dict) -> dict:
    return {name.replace("layer2.0.conv1", "layer2.0.first"): tensor for name, tensor in weights.items()}


def narrower(weights: dict) -> dict:
    return {**weights, "layer1.0.conv2.weight": weights["layer1.0.conv2.weight"][:, :4].contiguous()}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (renamed, "lacks 'layer2.0.conv1.weight'"),
        (narrower, "'layer1.0.conv2.weight' in another shape, (8, 4, 3, 3) against (8, 8, 3, 3)"),
    ],
)
def test_another_name_or_shape_is_a_sentence(spoil, says, narrow, tmp_path, capsys):
    torch.save(spoil(standard(SYSTEMS[narrow[0]][2], WIDEN)), tmp_path / "resnet.pth")
    assert train(narrow, tmp_path / "resnet.pth", tmp_path / "package") == 2
    said = capsys.readouterr().err
    assert says in said
    assert "belong to another network" in said
    assert "Traceback" not in said
    assert not (tmp_path / "package").exists()


def whole_numbers(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor * 100).to(torch.int32)


@pytest.mark.parametrize(
    ("spoil", "says"), [(whole_numbers, r"int32 \(strided\)"), (torch.Tensor.to_sparse, r"float32 \(sparse_coo\)")]
)
def test_numbers_of_another_kind_are_refused(spoil, says, tmp_path):
    weights = standard((1, 1, 1, 1), WIDEN)
    size = replace(TCI_EXTRACTOR["base"], blocks=(1, 1, 1, 1), widen=WIDEN)
    torch.save({**weights, "conv1.weight": spoil(weights["conv1.weight"])}, tmp_path / "resnet.pth")
    with pytest.raises(InputError, match=f"'conv1.weight' of 'resnet.pth' to be {says}"):
        read_resnet(tmp_path / "resnet.pth", size)
