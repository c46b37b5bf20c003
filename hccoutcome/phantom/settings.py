"""What a phantom is made of: grid, modality, lesions, enhancement, noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hccoutcome.case import MODALITIES, Modality
from hccoutcome.errors import InputError, nearest

PHASES = ("precontrast", "arterial", "portal", "delayed")
FIELD_OF_VIEW = (352.0, 352.0, 220.0)
"""Extent of the images in mm (x, y, z)."""

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class PhantomSettings:
    """Parameters of a procedural patient; with ``spacing=(4, 4, 5)`` it is drawn in less than a second.

    Attributes:
        seed: of every random number; one patient for each.
        spacing: voxel size in mm along x, y, z; the field of view is ``FIELD_OF_VIEW``.
        modality: ``"CT"`` in HU, or ``"MR"``: fat-suppressed T1 with a bias field and an arbitrary scale.
        liver_volume: mL, tumours included; drawn from 1250 to 1750 where None. A large tumour that bulges adds to it.
        lesion_diameters: mm of the sphere with each lesion's volume; one of 75 mm fits into every patient.
        arterial_enhancement: HU of arterial tumour above arterial liver.
        washout: HU of delayed tumour below delayed liver; two thirds of it in the portal phase.
        capsule: whether a capsule enhances in the portal and delayed phases.
        necrosis: part of the volume that does not enhance, of lesions of 30 mm and more.
        heterogeneity: standard deviation in HU of the mosaic inside the lesions.
        nodularity: standard deviation in HU of the liver's texture.
        breathing: by phase (in the order of ``PHASES``), movement of the organs to the head in mm. The masks outline
            the organs without movement.
        noise: standard deviation of the noise in the liver: HU in CT, percent of the unenhanced liver's signal in MR;
            10 HU and 3.5 % where None.
        clinical: entries of the clinical record that replace the drawn ones, by schema name.
    """

    seed: int = 1
    spacing: Vector = (2.0, 2.0, 2.5)
    modality: Modality = "CT"
    liver_volume: float | None = None
    lesion_diameters: tuple[float, ...] = (52.0, 25.0)
    arterial_enhancement: float = 45.0
    washout: float = 24.0
    capsule: bool = True
    necrosis: float = 0.18
    heterogeneity: float = 8.0
    nodularity: float = 4.0
    breathing: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    noise: float | None = None
    clinical: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_image()
        self._check_organs()

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along x, y, z."""
        nx, ny, nz = (round(extent / width) for extent, width in zip(FIELD_OF_VIEW, self.spacing, strict=True))
        return nx, ny, nz

    def _check_image(self) -> None:
        if self.seed < 0:
            raise InputError(f"The seed of a phantom is a whole number from 0 on, found {self.seed}: give another.")
        if self.modality not in MODALITIES:
            raise InputError(f"'{self.modality}' is not a phantom's modality; {nearest(self.modality, MODALITIES)}.")
        if len(self.spacing) != 3 or not all(1 <= width <= 8 for width in self.spacing):
            raise InputError(f"A phantom's voxels measure 1 to 8 mm along x, y and z, found {self.spacing}: change it.")
        if len(self.breathing) != len(PHASES) or max(map(abs, self.breathing)) > 20:
            raise InputError(
                f"Breathing moves the organs by up to 20 mm in each of {', '.join(PHASES)}, found {self.breathing}: "
                "give four numbers."
            )
        for name in ("noise", "heterogeneity", "nodularity"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InputError(f"A phantom's {name} is 0 or more, found {value}: correct it.")

    def _check_organs(self) -> None:
        if self.liver_volume is not None and not self.liver_volume >= 900:
            raise InputError(f"A phantom's liver takes 900 mL or more, found {self.liver_volume:g}: change the volume.")
        if not self.lesion_diameters or not all(8 <= width <= 80 for width in self.lesion_diameters):
            raise InputError(
                f"A phantom has at least one lesion, of 8 to 80 mm each, found {self.lesion_diameters}: change it."
            )
        if not 0 <= self.necrosis <= 0.6:
            raise InputError(f"The necrotic part of a lesion lies between 0 and 0.6, found {self.necrosis}: change it.")
