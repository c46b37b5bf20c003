"""A package is judged before any number: each thing that does not fit has its verdict and its sentence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from toy_package import FEATURE, make_package

from hccoutcome.package.applicability import ImageFacts, PackageInputs, judge, plan, values_for
from hccoutcome.package.format import Package
from hccoutcome.package.reference import reference_from_table
from hccoutcome.status import QualityItem

FITTING = PackageInputs(
    modality="CT",
    phases={"portal": ImageFacts((0.7, 0.7, 2.5), (512, 512, 90))},
    regions={"tumor": {"portal": 30.0}},
    features={FEATURE: 55.0},
    clinical={"age": 60.0, "sex": "male"},
)


@pytest.fixture
def a_package() -> Package:
    package = make_package()
    assert package.reference is not None
    return package.with_reference(replace(package.reference, cases=50))


def facts(*spacing: float) -> dict:
    return {"phases": {"portal": ImageFacts(spacing, (512, 512, 90))}}


def item(subject: str, note: str = "Mend it.", status: str = "refused") -> QualityItem:
    return QualityItem(subject, "range", "0", "1", status, note)


def test_a_case_that_fits_is_ok_without_reasons(a_package: Package) -> None:
    found = judge(a_package, FITTING)
    assert (found.status, found.reasons) == ("ok", ())


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"modality": "MR"}, "refused", "The images are MR and the package was made on CT."),
        ({"modality": None}, "warning", "The modality is not stated and the package was made on CT: state it."),
        ({"synthetic": True}, "warning", "The case is generated data, so the number says nothing about a patient."),
        ({"phases": {}}, "refused",
         "The package needs the portal phase (or, with a warning, arterial), found no image: add that image."),
        ({"phases": {"delayed": ImageFacts((1, 1, 1), (9, 9, 9))}}, "refused",
         "The package needs the portal phase (or, with a warning, arterial), found delayed: add that image."),
        (facts(0.7, 0.7, 7.5), "warning", "The slices of the portal image are 7.5 mm apart and the package was made on "
         "1 to 5 mm."),
        (facts(0.3, 0.7, 2.5), "warning", "The pixels of the portal image are 0.3 mm apart and the package was made on "
         "0.5 to 1 mm."),
        (facts(0.7, 0.7, 8.5), "refused", "The portal image has voxels of 0.7 x 0.7 x 8.5 mm and the package takes "
         "none above 8 mm: use a finer reconstruction."),
        ({"regions": {}}, "refused", "The package needs the region 'tumor', found none: outline it."),
        ({"regions": {"liver": {"portal": 1500.0}}}, "refused",
         "The package needs the region 'tumor', found liver: outline it."),
        ({"regions": {"tumor": {"arterial": 30.0}}}, "refused",
         "The region 'tumor' is not outlined on the portal image: outline it there."),
        ({"regions": {"tumor": {"portal": 0.05}}}, "refused",
         "The region 'tumor' has 0.05 mL on the portal image and the package needs at least 0.1 mL: check the "
         "outline."),
        ({"regions": {"tumor": {"portal": 0.5}}}, "warning",
         "The region 'tumor' has 0.5 mL on the portal image; below 1 mL its features are less certain."),
        ({"features": {}}, "refused", f"The feature '{FEATURE}' was not extracted: extract it with the package's "
         "settings."),
        ({"features": {FEATURE: math.nan}}, "refused", f"The feature '{FEATURE}' is nan: check the image and the "
         "outline."),
        ({"features": {FEATURE: math.inf}}, "refused", f"The feature '{FEATURE}' is inf: check the image and the "
         "outline."),
        ({"features": {FEATURE: 95.0}}, "warning", f"The feature '{FEATURE}' is 95, outside the 20 to 80 of the "
         "reference cohort (4.5 deviations from its mean)."),
        ({"clinical": {"sex": "male"}}, "refused", "The clinical variable 'age' (age) is missing: add it to the "
         "clinical record."),
        ({"clinical": {"age": 15.0, "sex": "male"}}, "warning", "The clinical variable 'age' (age) is 15 years, the "
         "package was made on 18 to 90 years."),
        ({"clinical": {"age": 150.0, "sex": "male"}}, "refused", "The clinical variable 'age' (age) is 150 years, "
         "possible is 0 to 120 years."),
        ({"clinical": {"age": math.nan, "sex": "male"}}, "refused", "The clinical variable 'age' (age) should be a "
         "number, found 'nan': correct it."),
        ({"clinical": {"age": "old", "sex": "male"}}, "refused", "The clinical variable 'age' (age) should be a "
         "number, found 'old': correct it."),
        ({"clinical": {"age": 60.0, "sex": "x"}}, "refused", "The clinical variable 'sex' (sex) should be one of "
         "female, male, found 'x'."),
        ({"quality": (item("image portal"),)}, "refused", "image portal, range: expected 1, found 0. Mend it."),
        ({"quality": (item("mask tumor", ""),)}, "refused", "mask tumor, range: expected 1, found 0."),
        ({"quality": (item("case"),)}, "refused", "case, range: expected 1, found 0. Mend it."),
    ],
)  # fmt: skip
def test_what_does_not_fit_has_its_verdict_and_sentence(
    a_package: Package, change: dict, status: str, reason: str
) -> None:
    found = judge(a_package, replace(FITTING, **change))
    assert found.status == status
    assert reason in found.reasons


def doubt(subject: str, check: str) -> QualityItem:
    return QualityItem(subject, check, "0", "1", "warning", "Mend it.")


@pytest.mark.parametrize(
    ("subject", "check"),
    [
        ("image portal", "grey levels"),
        ("image portal", "slice thickness"),
        ("image arterial", "liver enhancement"),
        ("mask tumor", "outside the liver"),
        ("mask tumor", "background in portal"),
        ("clinical age", "value"),
        ("clinical age", "agreement"),
    ],
)
def test_a_warning_on_what_the_package_reads_is_a_reason(a_package: Package, subject: str, check: str) -> None:
    found = judge(a_package, replace(FITTING, quality=(doubt(subject, check),)))
    assert found.status == "warning"
    assert found.reasons == (f"{subject}, {check}: expected 1, found 0. Mend it.",)


@pytest.mark.parametrize(
    ("subject", "check"),
    [
        ("image portal", "size"),
        ("image portal", "extremes"),
        ("image portal", "grid"),
        ("image arterial", "grey levels"),
        ("mask tumor", "background in delayed"),
        ("mask liver", "volume"),
        ("clinical afp", "value"),
        ("case", "modality"),
    ],
)
def test_a_warning_that_does_not_touch_the_number_is_no_reason(a_package: Package, subject: str, check: str) -> None:
    assert judge(a_package, replace(FITTING, quality=(doubt(subject, check),))).status == "ok"


def test_what_the_package_says_itself_is_not_said_again(a_package: Package) -> None:
    quality = (doubt("image portal", "slice thickness"), doubt("clinical age", "value"))
    change = {**facts(0.7, 0.7, 7.5), "clinical": {"age": 15.0, "sex": "male"}}
    assert len(judge(a_package, replace(FITTING, quality=quality, **change)).reasons) == 2


def test_voxel_sizes_of_one_image_are_one_reason(a_package: Package) -> None:
    quality = (doubt("image portal", "slice thickness"), doubt("image portal", "anisotropy"))
    assert len(judge(a_package, replace(FITTING, quality=quality)).reasons) == 1


@pytest.mark.parametrize(
    "quality", [item("image delayed"), item("mask liver"), item("clinical afp"), item("image portal", status="ok")]
)
def test_quality_of_what_the_package_does_not_read_is_no_reason(a_package: Package, quality: QualityItem) -> None:
    assert judge(a_package, replace(FITTING, quality=(quality,))).status == "ok"


@pytest.mark.parametrize("subject", ["image portal", "mask tumor on the portal image", "features"])
def test_what_follows_from_a_refused_image_or_mask_is_not_said_as_well(a_package: Package, subject: str) -> None:
    found = judge(a_package, replace(FITTING, quality=(item(subject),), regions={}, features={}))
    assert found.reasons == (f"{subject}, range: expected 1, found 0. Mend it.",)


def test_a_refused_clinical_value_hides_nothing_about_the_images(a_package: Package) -> None:
    found = judge(a_package, replace(FITTING, quality=(item("clinical age"),), regions={}))
    assert len(found.reasons) == 2


def test_of_images_of_another_modality_no_region_is_said_to_be_missing(a_package: Package) -> None:
    found = judge(a_package, replace(FITTING, modality="MR", regions={}, features={}))
    assert found.reasons == ("The images are MR and the package was made on CT.",)


def test_refusals_stand_before_warnings(a_package: Package) -> None:
    found = judge(a_package, replace(FITTING, synthetic=True, modality="MR"))
    assert found.reasons[0].startswith("The images are MR")
    assert found.reasons[1].startswith("The case is generated data")


def test_one_voxel_size_is_complained_about_once(a_package: Package) -> None:
    found = judge(a_package, replace(FITTING, **facts(2.0, 2.0, 2.5)))
    assert len(found.reasons) == 1


def test_a_substitute_is_used_with_a_warning(a_package: Package) -> None:
    inputs = replace(
        FITTING,
        phases={"arterial": ImageFacts((0.7, 0.7, 2.5), (512, 512, 90))},
        regions={"tumor": {"arterial": 30.0}},
        features={FEATURE.replace("portal", "arterial"): 55.0},
    )
    found = judge(a_package, inputs)
    assert found.status == "warning"
    assert found.reasons == (
        "The package was made on the portal phase, which is missing; the arterial phase was used in its place, so the "
        "number is not the published one.",
    )
    assert values_for(a_package, inputs) == {FEATURE: 55.0, "age": 60.0, "sex": "male"}


def test_the_plan_prefers_the_phase_itself(a_package: Package) -> None:
    found = plan(a_package, {"arterial", "portal"})
    assert found.phases == {"portal": "portal"}
    assert found.columns == {FEATURE: FEATURE}
    assert found.regions == {"tumor": ("portal",)}


def test_the_plan_names_what_to_extract_from_a_substitute(a_package: Package) -> None:
    found = plan(a_package, {"arterial"})
    assert found.phases == {"portal": "arterial"}
    assert found.columns == {FEATURE: "arterial_tumor_original_firstorder_Mean"}
    assert found.regions == {"tumor": ("arterial",)}


def test_the_plan_without_a_usable_phase_is_empty(a_package: Package) -> None:
    found = plan(a_package, {"delayed"})
    assert (found.phases, found.columns, found.regions) == ({}, {}, {"tumor": ()})


def test_a_missing_reference_says_how_to_make_one(a_package: Package) -> None:
    found = judge(replace(a_package, reference=None), FITTING)
    assert found.status == "refused"
    assert "run 'hcc package reference toy FEATURES.csv --out reference.json'" in found.reasons[0]


def test_a_small_reference_cohort_is_warned_about() -> None:
    assert judge(make_package(), FITTING).reasons == (
        "The reference cohort has only 12 cases, so its mean and deviation are rough.",
    )


def test_a_case_far_from_the_cohort_as_a_whole_is_warned_about(a_package: Package) -> None:
    """Both features lie in their range, and no case of the cohort has them so far apart."""
    other = "portal_tumor_original_firstorder_Median"
    first = np.random.default_rng(3).normal(50.0, 10.0, 60)
    second = first + np.random.default_rng(4).normal(0.0, 1.0, 60)
    package = replace(a_package, requirements=replace(a_package.requirements, features=(FEATURE, other)))
    rows = [{FEATURE: a, other: b} for a, b in zip(first, second, strict=True)]
    package = package.with_reference(
        reference_from_table(rows, package.requirements.features, package.settings_sha256, "x")
    )
    near = judge(package, replace(FITTING, features={FEATURE: 60.0, other: 60.0}))
    far = judge(package, replace(FITTING, features={FEATURE: 60.0, other: 40.0}))
    assert near.status == "ok"
    assert len(far.reasons) == 1
    assert far.reasons[0].startswith("The features together lie far from the reference cohort: fewer than 1% of its")
