from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import planted
import pytest
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.habitat.assign import assign_habitats
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.learn import Patient, learn_model
from hccoutcome.habitat.model import CARD_FILE, MODEL_FILE, load_model, save_model
from hccoutcome.habitat.settings import HabitatSettings

COHORT_METHODS = ("two-step", "pooled")
SHAPES = ((12, 14, 15), (10, 11, 18), (14, 12, 12))


def settings(method: str, **changes) -> HabitatSettings:
    return HabitatSettings(**{"method": method, "radiomics": None, "repeats": 2, "k_range": (2, 5), **changes})


def patient(number: int, gain: float = 1.0) -> tuple[Patient, np.ndarray]:
    """Return a patient with three planted habitats, on a scanner of another gain, and the planted map."""
    labels = planted.layers(SHAPES[number])
    images = {phase: image * gain for phase, image in planted.images(labels, seed=number).items()}
    return Patient(f"patient-{number}", images, planted.mask(labels)), labels


def cohort(gains=(1.0, 3.0)) -> list[Patient]:
    return [patient(number, gain)[0] for number, gain in enumerate(gains)]


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


@pytest.mark.parametrize("algorithm", ["kmeans", "gmm"])
@pytest.mark.parametrize("method", COHORT_METHODS)
def test_a_new_patient_gets_the_habitats_of_the_cohort(method: str, algorithm: str) -> None:
    model = learn_model(cohort(), settings(method, algorithm=algorithm))
    assert (model.partition.k, model.patients) == (3, 2)
    new, labels = patient(2, gain=0.2)
    habitats = assign_habitats(new.images, new.mask, model)
    np.testing.assert_array_equal(array(habitats.labels), labels)
    assert habitats.model == model.sha256
    assert habitats.curve == model.curve
    assert "in the cohort of 2 patients" in habitats.ordering


@pytest.mark.parametrize("method", COHORT_METHODS)
def test_a_habitat_that_a_patient_lacks_is_absent_and_the_others_keep_their_numbers(method: str) -> None:
    # On one scale for all (CT), so that a patient with fewer habitats is not stretched over the whole of it.
    asked = settings(method, scaling_scope="cohort", scaling="zscore", radiomics="haic-mri")
    model = learn_model(cohort((1.0, 1.0)), asked)
    new, labels = patient(2)
    inside = labels > 1
    mask = planted.image(inside.astype(np.uint8))
    habitats = assign_habitats(new.images, mask, model)
    np.testing.assert_array_equal(array(habitats.labels), np.where(inside, labels, 0))
    assert (habitats.k, habitats.sizes[0].voxels, 1 in habitats.centres) == (3, 0, False)
    assert habitats.features["portal_habitat1_original_habitat_Proportion"] == 0
    assert "portal_habitat1_original_firstorder_Mean" not in habitats.features
    assert habitats.notes[-1] == "This region has no voxel of habitat1; volume and proportion there are 0."


@pytest.mark.parametrize("scope", ["patient", "cohort"])
@pytest.mark.parametrize("method", COHORT_METHODS)
def test_a_patient_of_the_cohort_gets_the_same_map_alone_as_in_a_cohort_of_one(method: str, scope: str) -> None:
    asked = settings(method, scaling_scope=scope)
    noisy = Patient("one", planted.images(planted.layers(), noise=60.0), planted.mask(planted.layers()))
    model = learn_model([noisy], asked)
    alone = find_habitats(noisy.images, noisy.mask, asked)
    np.testing.assert_array_equal(array(alone.labels), array(assign_habitats(noisy.images, noisy.mask, model).labels))
    assert alone.model is None
    assert alone.notes[-1].startswith("The habitats were found in this patient alone")


def test_scaling_by_cohort_tells_gains_apart_and_by_patient_does_not() -> None:
    by_patient = learn_model(cohort((1.0, 3.0)), settings("pooled"))
    by_cohort = learn_model(cohort((1.0, 3.0)), settings("pooled", scaling_scope="cohort"))
    new, labels = patient(2, gain=3.0)
    np.testing.assert_array_equal(array(assign_habitats(new.images, new.mask, by_patient).labels), labels)
    assert not np.array_equal(array(assign_habitats(new.images, new.mask, by_cohort).labels), labels)
    assert by_patient.scaling is None
    assert by_cohort.scaling.names == planted.PHASES


@pytest.mark.parametrize("method", COHORT_METHODS)
def test_habitats_are_numbered_by_the_portal_phase_of_the_cohort_whatever_is_clustered(method: str) -> None:
    asked = settings(method, intensities=False, kinetics="difference", k=3)
    model = learn_model(cohort((1.0, 1.0)), asked)
    new, labels = patient(2)
    np.testing.assert_array_equal(array(assign_habitats(new.images, new.mask, model).labels), labels)


def test_the_phases_of_a_patient_may_come_in_any_order_and_more_of_them() -> None:
    three = [replace(one, images={p: one.images[p] for p in ("arterial", "portal", "delayed")}) for one in cohort()]
    reversed_too = [three[0], replace(three[1], images=dict(reversed(three[1].images.items())))]
    model = learn_model(reversed_too, settings("two-step"))
    assert model.phases == ("arterial", "portal", "delayed")
    new, labels = patient(2)
    habitats = assign_habitats(dict(reversed(new.images.items())), new.mask, model)
    np.testing.assert_array_equal(array(habitats.labels), labels)
    assert habitats.notes[0] == (
        "precontrast took no part: the habitat package was made for arterial, portal, delayed."
    )


@pytest.mark.parametrize("algorithm", ["kmeans", "gmm"])
def test_a_package_is_read_as_it_was_written(tmp_path: Path, algorithm: str) -> None:
    asked = settings("pooled", algorithm=algorithm, scaling_scope="cohort", scaling="robust")
    model = learn_model(cohort((1.0, 1.0)), asked, preparation={"bias_correction": True})
    folder = save_model(model, tmp_path / "package")
    other = load_model(folder)
    assert other.sha256 == model.sha256
    assert other.preparation == {"bias_correction": True}
    assert sorted(path.name for path in folder.iterdir()) == [CARD_FILE, MODEL_FILE]
    card = (folder / CARD_FILE).read_text(encoding="utf-8")
    assert "- Habitats: 3 (chosen by elbow)" in card and "2 patients" in card
    new, _ = patient(2)
    first, second = (assign_habitats(new.images, new.mask, one) for one in (model, other))
    np.testing.assert_array_equal(array(first.labels), array(second.labels))


def test_a_package_for_other_phases_is_refused() -> None:
    model = learn_model(cohort(), settings("two-step"))
    new, _ = patient(2)
    with pytest.raises(InputError) as caught:
        assign_habitats({"t1": new.images["portal"], "portal": new.images["portal"]}, new.mask, model)
    assert str(caught.value) == (
        "The habitat package was made for precontrast, arterial, portal, delayed, found t1, portal: add precontrast, "
        "arterial, delayed, or choose a package made for the phases at hand."
    )


def test_a_package_learnt_with_a_map_needs_that_map() -> None:
    with_map = [replace(one, maps={"texture": one.images["arterial"]}) for one in cohort()]
    model = learn_model(with_map, settings("two-step"))
    new, _ = patient(2)
    assert assign_habitats(new.images, new.mask, model, maps={"texture": new.images["arterial"]}).k == 3
    with pytest.raises(InputError) as caught:
        assign_habitats(new.images, new.mask, model)
    assert str(caught.value) == (
        "The habitat package was made for the voxel features precontrast, arterial, portal, delayed, texture, found "
        "precontrast, arterial, portal, delayed: give the same maps."
    )


def changed(content: dict) -> None:
    content["model"]["partition"]["centres"][0][0] += 1e-9


def another_format(content: dict) -> None:
    content["model"]["version"] = 2


def no_names(content: dict) -> None:
    from hccoutcome.files import sha256_of_json

    del content["model"]["names"]
    content["sha256"] = sha256_of_json(content["model"])


def short_centres(content: dict) -> None:
    from hccoutcome.files import sha256_of_json

    content["model"]["partition"]["centres"] = [[1.0], [2.0]]
    content["sha256"] = sha256_of_json(content["model"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            changed,
            "'habitat-model.json' in 'package' does not have the content that was written (its SHA256 differs): get "
            "the package again from where it was made.",
        ),
        (
            another_format,
            "'habitat-model.json' in 'package' was expected to be a hccoutcome habitat model of version 1, found "
            "something else: learn the habitats again with this version.",
        ),
        (no_names, "'habitat-model.json' in 'package' was expected to hold a complete model, found KeyError('names')"),
        (short_centres, "'habitat-model.json' in 'package' was expected to hold a complete model, found ValueError("),
    ],
)
def test_a_damaged_package_is_refused(tmp_path: Path, damage, message: str) -> None:
    folder = save_model(learn_model(cohort(), settings("two-step")), tmp_path / "package")
    content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
    damage(content)
    (folder / MODEL_FILE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert str(caught.value).startswith(message)


def test_a_folder_without_a_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"A habitat package is a folder with habitat-model\.json, found none in"):
        load_model(tmp_path)


def test_a_cohort_that_does_not_fit_together_is_refused() -> None:
    first, second = cohort()
    fewer = replace(second, images={"portal": second.images["portal"]})
    constant = replace(second, images={**second.images, "arterial": second.images["arterial"] * 0})
    asked = settings("two-step")
    for patients, message in (
        ([], "A cohort of at least one patient was expected, found none: add patients."),
        ([first, first], "Each patient of a cohort is named once, found 'patient-0' twice: rename one."),
        (
            [first, fewer],
            "All patients of a cohort need the same phases, found precontrast, arterial, portal, delayed in "
            "'patient-0' and portal in 'patient-1': add what is missing or leave out what not all have.",
        ),
        ([first, constant], "Patient 'patient-1': The arterial image was expected to vary inside the region, found 0"),
        (
            [first, replace(second, maps={"x": second.images["portal"]})],
            "All patients of a cohort need the same voxel features, found precontrast, arterial, portal, delayed in "
            "'patient-0' and precontrast, arterial, portal, delayed, x in 'patient-1': give all the same maps.",
        ),
    ):
        with pytest.raises(InputError) as caught:
            learn_model(patients, asked)
        assert str(caught.value).startswith(message)
    with pytest.raises(InputError, match="A cohort is clustered by 'two-step' or 'pooled', found 'one-step'"):
        learn_model([first], HabitatSettings())
