"""What the window for habitats decides, without Qt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hccoutcome.gui import habitat_rules as rules
from hccoutcome.habitat.facts import PackageFacts
from hccoutcome.habitat.settings import ALGORITHMS, CRITERIA, METHODS

GOOD = rules.HabitatChoice(volumes=("arterial", "portal"), phases=("arterial", "portal"), regions=("liver", "tumor"))
FACTS = PackageFacts("two-step", 3, ("arterial", "portal"), 40, prepared=True)


def summary(k=3, absent=(), **more):
    habitats = [
        {
            "habitat": number,
            "voxels": 0 if number in absent else 100,
            "volume_ml": 0.0 if number in absent else 1.5 * number,
            "proportion": 0.25,
            "parts": 2,
            "means": {} if number in absent else {"portal": 50.0 * number, "portal_entropy": 1.0},
        }
        for number in range(1, k + 1)
    ]
    return {
        "k": k,
        "phases": ["arterial", "portal"],
        "ordering": "Ordered.",
        "habitats": habitats,
        "measures": {"ith": 0.4567},
        "agreement": None,
        "model": None,
        "settings": {"k": None, "algorithm": "kmeans", "criterion": "elbow"},
        "notes": ["First note.", "Second note."],
        **more,
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"case_id": "Mr X"}, "found 'Mr X': rename it"),
        ({"volumes": (), "phases": ()}, "Choose the volume of at least one phase."),
        ({"phases": ()}, "Tick at least one phase."),
        ({"regions": ("liver",)}, "Say which segment is the region 'tumor'."),
        ({"package_error": "It is damaged."}, "It is damaged."),
        ({"package": FACTS, "method": "pooled"}, "was learnt by 'two-step': choose that method"),
        (
            {"package": FACTS, "method": "two-step", "phases": ("portal",)},
            "The habitat package needs the arterial phase too: choose the volume, and tick the phase.",
        ),
    ],
)
def test_one_thing_to_do_next_is_named(change, sentence):
    possible, reason = rules.ready_for_habitats(replace(GOOD, **change))
    assert not possible
    assert sentence in reason


def test_it_can_start_with_one_phase_or_a_package():
    assert rules.ready_for_habitats(GOOD) == (True, "Ready.")
    assert rules.ready_for_habitats(replace(GOOD, phases=("portal",)))[0]
    assert rules.ready_for_habitats(replace(GOOD, package=FACTS, method="two-step"))[0]


def test_mr_is_prepared_as_published_and_anything_else_taken_as_it_is():
    assert [rules.preparation_for_modality(modality) for modality in ("MR", "CT", None)] == ["mri", "none", "none"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_setting_has_words(method, algorithm, criterion):
    text = rules.plan_in_words(replace(GOOD, method=method, algorithm=algorithm, criterion=criterion))
    assert "{" not in text
    assert text.endswith("Radiomics by 'haic-mri' of each habitat.")


def test_the_plan_says_what_is_done():
    text = rules.plan_in_words(replace(GOOD, preparation="mri", registration="deformable", k=4, features=None))
    assert "brought to 1 mm and registered with deformation to the portal venous phase" in text
    assert "There will be 4 habitats. No radiomics of each habitat." in text
    assert "registered" not in rules.plan_in_words(replace(GOOD, preparation="ct", phases=("arterial",)))
    text = rules.plan_in_words(replace(GOOD, package=FACTS, method="two-step"))
    assert text.startswith("The package prepares the images and gives each voxel of 'tumor' one of its 3 habitats")
    assert "learnt from 40 patients in arterial, portal" in text


def test_the_result_reads_the_most_important_first():
    lines = rules.habitats_in_words(summary(), "'tumor'").split("\n")
    assert lines[0] == (
        "3 habitats in 'tumor' (9.0 mL) by k-means in arterial, portal; the elbow of the inertia chose. Ordered."
    )
    assert lines[1].startswith("Heterogeneity (ITH) 0.46: ")
    assert lines[-3:-1] == ["First note.", "Second note."]
    assert "not verified" in lines[-1]
    agreement = {"seed_rand": 0.987, "bootstrap_rand": 0.5}
    assert "0.99 with other seeds, 0.50 with" in rules.habitats_in_words(summary(agreement=agreement), "x")


def test_generated_data_is_called_so_first():
    assert rules.habitats_in_words(summary(), "x", synthetic=True).startswith("Synthetic data.\n3 habitats in x")


def test_who_chose_the_number_is_told():
    asked = summary(settings={"k": 3, "algorithm": "gmm", "criterion": "elbow"})
    assert "a Gaussian mixture in arterial, portal; the number was asked for." in rules.habitats_in_words(asked, "x")
    assert "the number is the package's" in rules.habitats_in_words(summary(model="ab"), "x")


def test_a_row_for_each_habitat_with_its_grey_levels():
    assert rules.size_titles(summary()) == ("Habitat", "mL", "%", "Parts", "arterial", "portal")
    rows = rules.size_rows(summary(k=2, absent=(2,)))
    assert rows == [("1", "1.50", "25.0", "2", "", "50"), ("2", "0.00", "25.0", "2", "", "")]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (summary(), ""),
        (summary(k=4), "The score reads 3 habitats, found 4: choose 3 and press Apply."),
        (summary(k=2), "found 2"),
        (summary(absent=(1, 3)), "no voxel of habitat 1 and 3"),
    ],
)
def test_what_the_score_cannot_read_is_told(found, sentence):
    assert sentence in rules.crh_obstacle(found)
    assert bool(rules.crh_obstacle(found)) == bool(sentence)


def test_fewer_sequences_than_published_are_told():
    assert "without precontrast, delayed" in rules.handed_over("Habitats", ["arterial", "portal"])
    assert rules.handed_over("Habitats", ["precontrast", "arterial", "portal", "delayed"]).endswith("press Apply.")
