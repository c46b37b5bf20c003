"""Settings of a radiomics extraction, read from PyRadiomics' parameter files unchanged.

A parameter file has the sections ``imageType``, ``featureClass``, ``setting`` and ``voxelSetting``, in YAML or JSON.
Importing this module loads neither numba nor SimpleITK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from hccoutcome.errors import InputError, nearest
from hccoutcome.files import sha256_of_json
from hccoutcome.radiomics.features import FEATURES, RETIRED
from hccoutcome.radiomics.parameters import FIELDS, VOXEL_KEYS, Parameters, parse
from hccoutcome.resources import resource

MERGE = "tag:yaml.org,2002:merge"
MOST_KEYS = 1000
"""Of one mapping; PyRadiomics knows fewer than 50."""
SECTIONS = ("imageType", "featureClass", "setting", "voxelSetting")
IMAGE_TYPES = (
    "Exponential",
    "Gradient",
    "LBP2D",
    "LBP3D",
    "LoG",
    "Logarithm",
    "Original",
    "Square",
    "SquareRoot",
    "Wavelet",
)
CLASSES = tuple(sorted(FEATURES))
"""PyRadiomics' order where a parameter file names no class."""


@dataclass(frozen=True)
class ImageType:
    """One image type that is switched on, with the values that it alone overrides (by field of ``Parameters``)."""

    name: str
    overrides: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class FeatureClass:
    """One feature class that is switched on; no names means all but the deprecated ones."""

    name: str
    named: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The features to compute, in the order in which they are reported."""
        return self.named or default_features(self.name)


def default_features(name: str) -> tuple[str, ...]:
    """Return the features of class ``name`` that are computed when none is named, in PyRadiomics' order."""
    table = FEATURES[name]
    return tuple(sorted((key for key in table if table[key].on_by_default), key=lambda key: f"{key}FeatureValue"))


@dataclass(frozen=True)
class RadiomicsSettings:
    """Everything that determines the features of an image and a mask. The defaults are PyRadiomics' own."""

    parameters: Parameters = field(default_factory=Parameters)
    image_types: tuple[ImageType, ...] = (ImageType("Original"),)
    classes: tuple[FeatureClass, ...] = tuple(FeatureClass(name) for name in CLASSES if name != "shape2D")

    def parameters_for(self, image_type: ImageType) -> Parameters:
        """Return the values in force for one image type."""
        return replace(self.parameters, **dict(image_type.overrides))

    def with_values(self, **values: Any) -> RadiomicsSettings:
        """Return the same settings with other values, by PyRadiomics' key, e.g. ``with_values(binWidth=10)``."""
        return replace(self, parameters=replace(self.parameters, **parse(values, "setting", tuple(FIELDS))))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a complete PyRadiomics parameter dictionary that reads back to the same settings."""
        values = self.parameters.to_dict()
        if values["voxelBatch"] < 0:  # the default, one batch of all voxels, is nothing that a file may state
            del values["voxelBatch"]
        return _plain(
            {
                "imageType": {kind.name: _by_key(dict(kind.overrides)) for kind in self.image_types},
                "featureClass": {group.name: list(group.named) for group in self.classes},
                "setting": {key: value for key, value in values.items() if key not in VOXEL_KEYS},
                "voxelSetting": {key: value for key, value in values.items() if key in VOXEL_KEYS},
            }
        )

    def sha256(self) -> str:
        """Return the hash that names these settings in provenance records and caches."""
        return sha256_of_json(self.to_dict())

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> RadiomicsSettings:
        """Check a parameter dictionary with PyRadiomics' sections.

        Raises:
            InputError: an unknown section, key, class, feature or image type, or a wrong value.
        """
        if not isinstance(raw, Mapping) or not raw:
            raise InputError(f"A parameter file holds the sections {', '.join(SECTIONS)}, found {raw!r}: add one.")
        for section in raw:
            if section not in SECTIONS:
                raise InputError(f"A parameter file has no section '{section}': {nearest(section, SECTIONS)}.")
        values = parse(raw.get("setting"), "setting") | parse(raw.get("voxelSetting"), "voxelSetting", VOXEL_KEYS)
        return cls(Parameters(**values), _image_types(raw.get("imageType")), _classes(raw.get("featureClass")))


def load_settings(name_or_path: str | Path) -> RadiomicsSettings:
    """Read a shipped parameter file by name (``prime``, ``radscore``, ``haic-mri``) or any PyRadiomics parameter file.

    Raises:
        InputError: there is no such file, it is not YAML or JSON, or something in it is wrong.
    """
    text = str(name_or_path)
    shipped = _shipped()
    path = shipped.get(text, Path(text))
    if not path.is_file():
        raise InputError(
            f"There is no parameter file '{text}': give a path or a shipped name, {nearest(text, shipped)}."
        )
    return parse_settings(_read(path), path.name)


def is_shipped(name: str) -> bool:
    """Whether a parameter file of this name ships with the extension."""
    return name in _shipped()


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in resource("Parameters").glob("*.yaml")}


def parse_settings(text: str, name: str = "parameters.yaml") -> RadiomicsSettings:
    """Return the settings in the text of a PyRadiomics parameter file.

    Args:
        text: YAML, or JSON where the name says so.
        name: the file's name, for messages.

    Raises:
        InputError: it is not YAML or JSON, or something in it is wrong.
    """
    try:
        # The loaders are SafeLoaders.
        raw = json.loads(text) if name.lower().endswith(".json") else yaml.load(text, Loader=_loader(text))  # noqa: S506
    except RecursionError:
        raise InputError(f"{name} is nested far deeper than any such file needs: do not use it.") from None
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        where = " ".join(str(error).split())
        raise InputError(f"The parameter file '{name}' cannot be read ({where}): mend its syntax.") from error
    return RadiomicsSettings.from_dict(raw)


def _read(path: Path) -> str:
    if path.suffix.lower() not in (".yaml", ".yml", ".json"):
        raise InputError(f"A parameter file ends with .yaml, .yml or .json, found '{path.name}': rename it.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"The parameter file '{path.name}' is not UTF-8 text: save it so.") from error


class _StrictLoader(yaml.SafeLoader):
    """As PyRadiomics reads YAML: a key stands only once, and ``<<`` takes over the keys of another mapping."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._flat: set[yaml.MappingNode] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if node in self._flat:
            return
        self._flat.add(node)
        self._check_keys(node)
        super().flatten_mapping(node)
        self._check_size(node)  # what is taken over of what is taken over may grow without end

    def _check_keys(self, node: yaml.MappingNode) -> None:
        self._check_size(node)
        keys = ["<<" if key.tag == MERGE else self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", node.start_mark)

    def _check_size(self, node: yaml.MappingNode) -> None:
        if len(node.value) > MOST_KEYS:
            raise yaml.constructor.ConstructorError(None, None, f"more than {MOST_KEYS} keys", node.start_mark)


class _Yaml11Loader(_StrictLoader):
    """Version 1.1, for a file that says ``%YAML 1.1``: ``on`` is true, and ``010`` is eight."""

    bool_values = _StrictLoader.bool_values | {"y": True, "n": False}


_Yaml11Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))


class _Yaml12Loader(_StrictLoader):
    """Version 1.2, which PyRadiomics takes otherwise: ``1e-3`` is a number, ``on`` a word, and ``010`` ten."""


def _loader(text: str) -> type[_StrictLoader]:
    """Return the loader for the version that the text states, if it states one."""
    stated = re.search(r"^%YAML[ \t]+(\S+)", text, re.MULTILINE)
    version = stated[1] if stated else "1.2"
    if version not in ("1.1", "1.2"):
        raise InputError(f"A parameter file is in YAML 1.1 or 1.2, found %YAML {version}: state the version it is in.")
    return _Yaml11Loader if version == "1.1" else _Yaml12Loader


def _construct_int(loader: _Yaml12Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    return int(text, 0) if text.lstrip("+-")[:2] in ("0o", "0x", "0b") else int(text, 10)


_Yaml12Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}
_Yaml12Loader.yaml_implicit_resolvers = {}
for _tag, (_pattern, _first) in _SCALARS.items():
    _Yaml12Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), list(_first))


def _image_types(section: Any) -> tuple[ImageType, ...]:
    if not section:
        return (ImageType("Original"),)
    if not isinstance(section, Mapping):
        raise InputError(f"The section 'imageType' names image types, found {section!r}: write 'Original: {{}}'.")
    for name in section:
        if name not in IMAGE_TYPES:
            raise InputError(f"PyRadiomics knows no image type '{name}': {nearest(name, IMAGE_TYPES)}.")
    return tuple(
        ImageType(name, tuple(parse(values, f"imageType: {name}").items())) for name, values in section.items()
    )


def _classes(section: Any) -> tuple[FeatureClass, ...]:
    if not section:
        return tuple(FeatureClass(name) for name in CLASSES)
    if not isinstance(section, Mapping):
        raise InputError(f"The section 'featureClass' names classes, found {section!r}: write 'firstorder: []'.")
    return tuple(FeatureClass(_class(name), _named(name, features)) for name, features in section.items())


def _class(name: str) -> str:
    if name not in FEATURES:
        raise InputError(f"PyRadiomics knows no feature class '{name}': {nearest(name, FEATURES)}.")
    return name


def _named(name: str, features: Any) -> tuple[str, ...]:
    if features is None:
        return ()
    if not isinstance(features, list | tuple):
        raise InputError(f"The class '{name}' takes a list of features, found {features!r}: write '- Feature' lines.")
    known = {**FEATURES[name], **RETIRED.get(name, {})}
    for feature in features:
        if feature not in known:
            raise InputError(f"The class '{name}' has no feature '{feature}': {nearest(feature, known)}.")
    return tuple(dict.fromkeys(features))


def _by_key(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name: key for key, item in FIELDS.items()}
    return {names[name]: value for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Return the value as JSON knows it: tuples become lists and infinite or undefined numbers words."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return "nan"
    return value
