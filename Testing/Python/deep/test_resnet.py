"""ResNets and their weights: names and shapes of the standard checkpoints, values of a naive ResNet, refusals."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from safetensors.torch import save_file  # noqa: E402
from standard_weights import standard  # noqa: E402
from torch.nn import functional  # noqa: E402

from hccoutcome.deep.resnet import RESNET50, RESNET101, FeatureExtractor, ResNetSize, make_resnet  # noqa: E402
from hccoutcome.deep.weights import PUBLIC, fetch_weights, read_resnet, read_tensors  # noqa: E402
from hccoutcome.errors import EnvironmentNeeded, InputError  # noqa: E402

TINY = ResNetSize((2, 1, 1, 1), widen=0.125)


def naive_maps(weights, pictures, blocks, stages):
    """Return feature maps computed from a checkpoint by its names alone, as torchvision's ResNet does."""

    def conv(x, name, stride=1):
        kernel = weights[f"{name}.weight"]
        return functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    def norm(x, name):
        shape = (1, -1, 1, 1)
        mean, var, scale, shift = (
            weights[f"{name}.{part}"].reshape(shape) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * scale + shift

    x = norm(conv(pictures, "conv1", 2), "bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage in range(1, stages + 1):
        for block in range(blocks[stage - 1]):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = norm(conv(x, f"{name}.conv1"), f"{name}.bn1").relu()
            y = norm(conv(y, f"{name}.conv2", stride), f"{name}.bn2").relu()
            y = norm(conv(y, f"{name}.conv3"), f"{name}.bn3")
            if block == 0:
                x = norm(conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
            x = (x + y).relu()
    return x


@pytest.mark.parametrize(("blocks", "parameters"), [(RESNET50, 25_557_032), (RESNET101, 44_549_160)])
def test_the_networks_have_the_names_and_shapes_of_the_standard_checkpoints(blocks, parameters):
    """Their numbers of parameters are those that torchvision states."""
    expected = {name: tuple(tensor.shape) for name, tensor in standard(blocks).items()}
    with torch.device("meta"):
        network = make_resnet(ResNetSize(blocks))
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == expected
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("stages", [3, 4])
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_features_from_a_checkpoint_equal_the_naive_network(tmp_path, stages, ending):
    weights = standard(TINY.blocks, TINY.widen)
    path = tmp_path / f"resnet.{ending}"
    save_file(weights, path) if ending == "safetensors" else torch.save(weights, path)
    extractor = FeatureExtractor(ResNetSize(TINY.blocks, TINY.widen, stages), frozen=True)
    extractor.take_weights(read_resnet(path, TINY))
    planes = torch.rand(2, 64, 48, generator=torch.Generator().manual_seed(1))
    colours = torch.stack([(planes - m) / d for m, d in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))], dim=1)
    expected = naive_maps(weights, colours, TINY.blocks, stages)
    torch.testing.assert_close(extractor.maps(planes), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(extractor(planes), expected.mean(dim=(2, 3)), rtol=1e-3, atol=1e-4)
    assert extractor(planes).shape == (2, extractor.size.channels)


def test_the_papers_extractors_end_at_1024_and_2048_channels():
    from hccoutcome.deep.resnet import CNN_EXTRACTOR, DLOPCTR_EXTRACTOR, TCI_EXTRACTOR

    assert TCI_EXTRACTOR["base"].channels == 1024
    assert TCI_EXTRACTOR["base"].blocks == (3, 4, 6, 3)
    assert DLOPCTR_EXTRACTOR["base"].channels == 2048
    assert sum(DLOPCTR_EXTRACTOR["base"].blocks) == 33
    assert CNN_EXTRACTOR["base"].channels == 2048


def test_a_frozen_extractor_learns_nothing_even_in_training():
    torch.manual_seed(0)
    extractor = FeatureExtractor(TINY, frozen=True).train()
    before = {name: tensor.clone() for name, tensor in extractor.state_dict().items()}
    planes = torch.rand(4, 32, 32)
    extractor(planes)
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in extractor.state_dict().items())
    assert any(p.requires_grad for p in FeatureExtractor(TINY, frozen=False).parameters())


@pytest.mark.parametrize("without", ["num_batches_tracked", "fc."])
def test_counters_and_the_last_layer_may_be_absent(tmp_path, without):
    weights = {name: t for name, t in standard(TINY.blocks, TINY.widen).items() if without not in name}
    torch.save(weights, tmp_path / "a.pth")
    network = read_resnet(tmp_path / "a.pth", TINY)
    torch.testing.assert_close(network.state_dict()["layer4.0.conv3.weight"], weights["layer4.0.conv3.weight"])


def test_a_state_dict_inside_a_checkpoint_is_found(tmp_path):
    torch.save({"state_dict": standard(TINY.blocks, TINY.widen, classes=7), "epoch": 3}, tmp_path / "a.pth")
    assert read_resnet(tmp_path / "a.pth", TINY).fc.out_features == 7


def changed(change):
    weights = standard(TINY.blocks, TINY.widen)
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (changed(lambda w: w.pop("layer3.0.bn2.running_var")), r"the file lacks 'layer3\.0\.bn2\.running_var'; give"),
        (changed(lambda w: w.update(extra=torch.ones(1))), "the file has 'extra', which the network has not"),
        (standard(TINY.blocks, 0.25), r"has 'conv1\.weight' in another shape, \(16, 3, 7, 7\) against \(8, 3, 7, 7\)"),
        (standard((2, 2, 1, 1), TINY.widen), r"has 'layer2\.1\.bn1\.bias', which the network has not and 17 more"),
        (
            changed(lambda w: w["bn1.bias"].fill_(float("nan"))),
            r"Finite weights were expected, found 'bn1\.bias'",
        ),
        ({"conv1.weight": "no tensor"}, "Tensors by name were expected"),
    ],
)
def test_other_weights_are_refused_by_the_first_name_that_differs(tmp_path, weights, sentence):
    torch.save(weights, tmp_path / "a.pth")
    with pytest.raises(InputError, match=sentence):
        read_resnet(tmp_path / "a.pth", TINY)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("plain", [True, False])
def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path, plain):
    path, mark = tmp_path / "a.pth", tmp_path / "mark"
    if plain:
        path.write_bytes(pickle.dumps(Hostile(mark)))
    else:
        torch.save({"conv1.weight": Hostile(mark)}, path)
    with pytest.raises(InputError, match="Weights by name and nothing else were expected"):
        read_tensors(path)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_damaged_and_absent_files_are_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(InputError, match="found no such file"):
        read_tensors(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="found something else"):
        read_tensors(path)


def test_public_weights_are_fetched_only_once_agreed_and_only_as_published(tmp_path):
    def fetch(address, path):
        path.write_bytes(b"not it")

    with pytest.raises(EnvironmentNeeded, match="or agree to the download"):
        fetch_weights("resnet50", tmp_path, agreed=False, fetch=fetch)
    with pytest.raises(EnvironmentNeeded, match="is not what its publisher made"):
        fetch_weights("resnet50", tmp_path, agreed=True, fetch=fetch)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="are no public weights"):
        fetch_weights("resnet5", tmp_path, agreed=True, fetch=fetch)


def test_public_weights_that_are_there_are_checked_and_not_fetched_again(tmp_path, monkeypatch):
    from hashlib import sha256

    from hccoutcome.deep import weights

    content = b"the real thing"
    public = weights.PublicWeights(RESNET50, "https://example.org/resnet50.pth", sha256(content).hexdigest(), 1)
    monkeypatch.setattr(weights, "PUBLIC", {"resnet50": public})
    asked = []

    def fetch(address, path):
        asked.append(address)
        path.write_bytes(content)

    for _ in range(2):
        path = fetch_weights("resnet50", tmp_path, agreed=True, fetch=fetch)
    assert asked == ["https://example.org/resnet50.pth"]
    path.write_bytes(b"changed")
    with pytest.raises(InputError, match="is not the one that its publisher made"):
        fetch_weights("resnet50", tmp_path, agreed=False, fetch=fetch)


def test_no_network_is_a_sentence(tmp_path):
    def fetch(address, path):
        raise OSError("no route")

    with pytest.raises(EnvironmentNeeded, match=r"could not be fetched \(no route\)"):
        fetch_weights("resnet101", tmp_path, agreed=True, fetch=fetch)


def test_published_hashes_begin_as_their_file_names_say():
    """torchvision puts the first eight digits of the SHA256 into the name."""
    for public in PUBLIC.values():
        assert public.address.endswith(f"-{public.sha256[:8]}.pth")
        assert len(public.sha256) == 64
