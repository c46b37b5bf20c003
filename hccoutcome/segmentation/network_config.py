"""A MONAI network of a person's own as plain JSON: which network, how the image is prepared, what its labels mean.

A bundle of MONAI may hold ``$`` expressions, which its parser evaluates; nothing is evaluated here. Every field is
checked, an unknown one refused, and only the arguments named below reach the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from hccoutcome.case import MODALITIES, Modality, canonical_phase
from hccoutcome.errors import InputError, nearest
from hccoutcome.segmentation.label_map import LabelMap, check_some, labels_by_name, parse_label_map
from hccoutcome.strict_json import Fields, one_of, parse_json

FORMAT = "hcc-monai-network/1"
ANY_PHASE = "any"
Activation = Literal["softmax", "sigmoid"]
Blending = Literal["constant", "gaussian"]
IntensityMethod = Literal["window", "standardise", "fixed", "none"]
_MOST, _LONGEST = 4096, 16
_NORMS = ("INSTANCE", "BATCH", "GROUP", "LAYER")
_ACTIVATIONS = ("PRELU", "RELU", "LEAKYRELU", "GELU", "MISH", "SWISH")

Check = Callable[[Any], bool]


def _is_int(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST


def _is_part(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= _LONGEST and all(_is_int(item) for item in value)


def _is_sizes(value: Any) -> bool:
    """One number or three for each layer."""
    return (
        isinstance(value, list)
        and 1 <= len(value) <= _LONGEST
        and all(_is_int(item) or (_is_list(item) and len(item) == 3) for item in value)
    )


def _among(words: tuple[str, ...]) -> Check:
    return lambda value: isinstance(value, str) and value.upper() in words


_SHARED: Mapping[str, Check] = {"in_channels": _is_int, "out_channels": _is_int}
NETWORKS: Mapping[str, Mapping[str, Check]] = MappingProxyType(
    {
        "UNet": {
            **_SHARED, "channels": _is_list, "strides": _is_sizes, "kernel_size": _is_int, "up_kernel_size": _is_int,
            "num_res_units": lambda value: _is_int(value, 0), "act": _among(_ACTIVATIONS), "norm": _among(_NORMS),
            "dropout": _is_part, "bias": _is_flag,
        },
        "SegResNet": {
            **_SHARED, "init_filters": _is_int, "blocks_down": _is_list, "blocks_up": _is_list,
            "dropout_prob": _is_part, "num_groups": _is_int, "use_conv_final": _is_flag,
            "upsample_mode": lambda value: value in ("nontrainable", "deconv", "pixelshuffle"),
        },
        "DynUNet": {
            **_SHARED, "kernel_size": _is_sizes, "strides": _is_sizes, "upsample_kernel_size": _is_sizes,
            "filters": _is_list, "norm_name": _among(_NORMS), "act_name": _among(_ACTIVATIONS), "dropout": _is_part,
            "deep_supervision": _is_flag, "deep_supr_num": _is_int, "res_block": _is_flag, "trans_bias": _is_flag,
        },
    }
)  # fmt: skip
"""The networks, and what each argument may be; they are three-dimensional."""


@dataclass(frozen=True)
class Intensity:
    """How an image's values are prepared.

    ``window`` maps ``low``..``high`` to 0..1 and cuts there; ``standardise`` makes mean 0 and deviation 1 of what is
    not zero; ``fixed`` cuts to ``low``..``high``, takes ``mean`` off and divides by ``std``; ``none`` leaves them.
    """

    method: IntensityMethod
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    std: float = 1.0


@dataclass(frozen=True)
class NetworkConfig:
    """A network and how it is used.

    Attributes:
        name, licence, citation: what its author says of it.
        network: class of MONAI, one of ``NETWORKS``.
        arguments: for its constructor.
        modalities: of its images.
        channels: phases of its images in their order, or ``any`` for the first image.
        orientation: directions in which the axes of its voxels grow, ``RAS`` for right, anterior, superior.
        spacing: of its voxels in mm along these axes; None leaves the image's own.
        intensity: how values are prepared.
        window: size of the sliding window in voxels.
        overlap: of the windows, as a part of their size.
        blending: how overlapping windows are averaged.
        activation: ``softmax`` for labels that exclude each other, ``sigmoid`` for outputs that need not.
        labels: by name, the label (softmax, background 0) or the number of the output, counted from 1 (sigmoid).
        regions: labels by our regions.
    """

    name: str
    licence: str
    citation: str
    network: str
    arguments: Mapping[str, Any]
    modalities: tuple[Modality, ...]
    channels: tuple[str, ...]
    orientation: str
    spacing: tuple[float, float, float] | None
    intensity: Intensity
    window: tuple[int, int, int]
    overlap: float
    blending: Blending
    activation: Activation
    labels: Mapping[str, tuple[int, ...]]
    regions: LabelMap


def read_config(path: Path) -> NetworkConfig:
    """Read the description of a network.

    Raises:
        InputError: it cannot be read, or a field is missing, unknown or of another kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The network's description '{path.name}' cannot be read ({error.strerror}): check it."
        ) from error
    return config_from_json(parse_json(content, f"'{path.name}'"), f"'{path.name}'")


def config_from_json(data: Any, where: str) -> NetworkConfig:
    """Return the network that JSON data describe.

    Raises:
        InputError: a field is missing, unknown or of another kind, or a text looks like an expression.
    """
    _no_expressions(data, where)
    found = Fields(data, where)
    one_of(found.text("format"), (FORMAT,), f"{where}, format")
    network, arguments = _network(found, where)
    activation = one_of(found.text("activation"), get_args(Activation), f"{where}, activation")
    outputs = int(arguments["out_channels"])
    labels = _labels(found.object("labels"), outputs if activation == "sigmoid" else outputs - 1, where)
    written = found.text("regions", "")
    regions = parse_label_map(written, labels) if written else check_some(labels_by_name(labels), labels, where)
    window = Fields(found.object("window"), f"{where}, window")
    config = NetworkConfig(
        name=found.text("name"),
        licence=found.text("licence"),
        citation=found.text("citation"),
        network=network,
        arguments=arguments,
        modalities=_modalities(found, where),
        channels=_channels(found, int(arguments["in_channels"]), where),
        orientation=_orientation(found.text("orientation", "RAS"), where),
        spacing=_spacing(found, where),
        intensity=_intensity(Fields(found.object("intensity"), f"{where}, intensity")),
        window=_window(window),
        overlap=_overlap(window),
        blending=one_of(window.text("blending", "gaussian"), get_args(Blending), f"{window.where}, blending"),
        activation=activation,
        labels=labels,
        regions=regions,
    )
    window.done()
    found.done()
    return config


def _no_expressions(data: Any, where: str) -> None:
    """Refuse what MONAI's parser would evaluate or look up, wherever it stands."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            _no_expressions(key, where)
            _no_expressions(value, where)
    elif isinstance(data, list):
        for value in data:
            _no_expressions(value, where)
    elif isinstance(data, str) and data.startswith(("$", "@", "%")):
        raise InputError(
            f"{where} holds '{data[:30]}', an expression of a bundle: write plain values, none is evaluated."
        )
    elif data == "_target_":
        raise InputError(f"{where} names a '_target_', as a bundle does: name the network by 'class' and 'arguments'.")


def _network(found: Fields, where: str) -> tuple[str, Mapping[str, Any]]:
    fields = Fields(found.object("network"), f"{where}, network")
    name = one_of(fields.text("class"), NETWORKS, f"{fields.where}, class")
    arguments = dict(fields.object("arguments"))
    fields.done()
    for key, value in arguments.items():
        if key not in NETWORKS[name]:
            raise InputError(f"{fields.where}: {name} takes no argument '{key}' here; {nearest(key, NETWORKS[name])}.")
        if not NETWORKS[name][key](value):
            raise InputError(f"{fields.where}: the argument '{key}' cannot be {value!r}: give what {name} takes.")
    for key in _SHARED:
        if key not in arguments:
            raise InputError(f"{fields.where} lacks the argument '{key}': add it.")
    return name, arguments


def _labels(data: Mapping[str, Any], highest: int, where: str) -> dict[str, tuple[int, ...]]:
    labels = {}
    for name, value in data.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(_is_int(number, 0) and number <= highest for number in values):
            raise InputError(f"{where}: the label '{name}' should be from 0 to {highest}, found {value!r}: correct it.")
        labels[str(name)] = tuple(int(number) for number in values)
    return labels


def _modalities(found: Fields, where: str) -> tuple[Modality, ...]:
    given = found.texts("modality")
    if not given:
        raise InputError(f"{where} lacks the field 'modality' (a list of CT, MR): add it.")
    return tuple(one_of(word, MODALITIES, f"{where}, modality") for word in given)


def _channels(found: Fields, count: int, where: str) -> tuple[str, ...]:
    channels = tuple(word if word == ANY_PHASE else canonical_phase(word) for word in found.texts("channels"))
    if len(channels) != count:
        raise InputError(f"{where}: the network takes {count} images, found {len(channels)} channels: name them all.")
    return channels


def _orientation(text: str, where: str) -> str:
    word = text.upper()
    if len(word) != 3 or any(sum(letter in pair for letter in word) != 1 for pair in ("RL", "AP", "SI")):
        raise InputError(f"{where}: an orientation is like RAS or LPS, found '{text}': correct it.")
    return word


def _spacing(found: Fields, where: str) -> tuple[float, float, float] | None:
    given = found.value("spacing_mm", list, "a list of three numbers", None)
    if given is None:
        return None
    if len(given) != 3 or not all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and 0.1 <= v <= 50 for v in given
    ):
        raise InputError(f"{where}: spacing_mm should be three numbers from 0.1 to 50, found {given}: correct it.")
    x, y, z = (float(value) for value in given)
    return x, y, z


def _intensity(fields: Fields) -> Intensity:
    method = one_of(fields.text("method"), get_args(IntensityMethod), f"{fields.where}, method")
    wanted = {"window": ("low", "high"), "fixed": ("low", "high", "mean", "std")}.get(method, ())
    found = Intensity(method, **{name: fields.number(name) for name in wanted})
    fields.done()
    if wanted and found.low >= found.high:
        raise InputError(
            f"{fields.where}: low should be below high, found {found.low:g} and {found.high:g}: correct it."
        )
    if found.std <= 0:
        raise InputError(f"{fields.where}: std should be above 0, found {found.std:g}: correct it.")
    return found


def _window(fields: Fields) -> tuple[int, int, int]:
    size = fields.value("size", list, "a list of three whole numbers")
    if len(size) != 3 or not all(_is_int(number, 4) and number <= 512 for number in size):
        raise InputError(f"{fields.where}: size should be three whole numbers from 4 to 512, found {size}: correct it.")
    x, y, z = size
    return x, y, z


def _overlap(fields: Fields) -> float:
    overlap = fields.number("overlap", 0.25)
    if not 0 <= overlap <= 0.9:
        raise InputError(f"{fields.where}: overlap should be from 0 to 0.9, found {overlap:g}: correct it.")
    return float(overlap)
