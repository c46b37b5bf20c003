"""Perturbation studies of several cases, joined: what the folders of ``hcc perturb`` hold, and which ICC fits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hccoutcome.errors import InputError
from hccoutcome.stability.writing import FEATURE_FILE, STUDY_FILE
from hccoutcome.strict_json import Fields, parse_json


@dataclass(frozen=True)
class Studies:
    """Perturbation studies that were made in one way.

    Attributes:
        tables: the feature table of each.
        model: form of the ICC that fits how their perturbations were drawn.
        why: the reason for that form, as a sentence.
        provenance: how they were made; plain data.
    """

    tables: tuple[Path, ...]
    model: str
    why: str
    provenance: Mapping[str, Any]


def read_studies(folders: Sequence[Path]) -> Studies:
    """Return the studies in folders of ``hcc perturb``.

    Drawn with one seed, perturbation 7 has the same angle, shift and growth in every case: a rater who sees all
    subjects, ICC(2,1). Drawn with a seed for each case, nothing joins them: raters nested in subjects, ICC(1,1), as
    Zwanenburg et al. 2019 report. Where one seed was used and perturbations differ by themselves, the 95% limits of
    ICC(1,1) hold the true value less often than they say; those of ICC(2,1) do.

    Raises:
        InputError: a folder is no study, or the studies were made with different settings.
    """
    found = [_read(folder) for folder in folders]
    first = found[0]
    for folder, study in zip(folders, found, strict=True):
        for what, value in study.items():
            if what != "seed" and value != first[what]:
                raise InputError(
                    f"Studies to join were made in one way, found other {_WHAT[what]} in '{folder.name}' than in "
                    f"'{folders[0].name}': run hcc perturb with the same options for each."
                )
    seeds = {study["seed"] for study in found}
    model, why = _NESTED if len(seeds) == len(found) else _CROSSED
    tables = tuple(folder / FEATURE_FILE for folder in folders)
    return Studies(tables, model, why, {**first, "seed": sorted(seeds)})


_WHAT = {"perturbation": "perturbations", "settings_sha256": "radiomics settings"}
_NESTED = ("1,1", "each case has a seed of its own, so that its perturbations are raters of no other case")
_CROSSED = ("2,1", "cases share a seed, so that a perturbation is the same rater in each of them")


def _read(folder: Path) -> dict[str, Any]:
    path = folder / STUDY_FILE
    if not path.is_file() or not (folder / FEATURE_FILE).is_file():
        raise InputError(
            f"A folder of hcc perturb holds {STUDY_FILE} and {FEATURE_FILE}, found '{folder.name}' without: check the "
            "path, or give the tables of features themselves."
        )
    study = Fields(parse_json(path.read_bytes(), path.name), f"{path.name} of '{folder.name}'")
    drawn = dict(study.object("perturbation"))
    radiomics = Fields(study.object("radiomics"), study.where)
    seed = Fields(drawn, study.where).value("seed", int, "a whole number")
    del drawn["seed"]
    return {"seed": seed, "perturbation": drawn, "settings_sha256": radiomics.text("settings_sha256")}
