"""What the segmentation panel decides, apart from Qt."""

from __future__ import annotations

import pytest

from hccoutcome.gui import segmentation_rules as rules
from hccoutcome.gui.segmentation_rules import EngineFacts, OutlineChoice
from hccoutcome.segmentation.engine import Offer
from hccoutcome.segmentation.setup import Setup
from hccoutcome.status import QualityItem

BUILTIN = EngineFacts(
    "builtin",
    "Built-in",
    (Offer("tumor", ("box", "clicks", "stroke"), ("CT", "MR")), Offer("liver", ("none", "clicks", "stroke"), ("CT",))),
    ready=True,
    licence="Apache-2.0",
)
NETWORK = EngineFacts(
    "network", "Network", (Offer("liver", ("none",), ("CT", "MR")), Offer("vessel", ("none",))), False, "download it."
)
FACTS = (NETWORK, BUILTIN)


def choice(**fields):
    return OutlineChoice(**{"phases": ("portal",), **fields})


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        (choice(phases=()), "Choose the volume of at least one phase."),
        (
            choice(),
            "The tumor is outlined from a box around it or clicks in it or a rough stroke in it: press a button below "
            "and draw it.",
        ),
        (choice(empty_prompt="Box: tumor"), "Nothing is drawn in 'Box: tumor' yet: draw it in a slice view."),
        (choice(prompt="box"), ""),
        (choice(prompt="box", modality="MR"), ""),
        (choice(region="liver"), ""),
        (
            choice(region="liver", prompt="box"),
            "The liver is outlined from the image alone or clicks in it or a rough stroke in it: choose another one, "
            "or nothing.",
        ),
        (
            choice(region="liver", modality="MR", engine="builtin"),
            "Built-in outlines the liver in CT, not in MR: choose another engine.",
        ),
        (choice(region="liver", modality="MR"), "Built-in outlines the liver in CT, not in MR: choose another engine."),
        (choice(region="liver", engine="network"), "Network is not ready: download it."),
        (choice(region="vessel"), "Network is not ready: download it."),
        (choice(engine="network", prompt="box"), "Network does not outline the tumor: choose another engine."),
    ],
)
def test_the_one_thing_to_do_next(chosen, reason):
    ready, said = rules.ready_to_outline(chosen, FACTS)
    assert (ready, said) == ((True, "Ready.") if not reason else (False, reason))


def test_the_built_in_engine_can_be_started_where_its_package_is_missing():
    """Pressing the button asks for it."""
    missing = EngineFacts(
        "builtin", "Built-in", BUILTIN.offers, False, "install PyMaxflow (GPL-3.0).", library="segmentation"
    )
    assert rules.ready_to_outline(choice(prompt="box"), (missing,))[0]
    assert rules.engine_in_words("builtin", (missing,)).endswith("install PyMaxflow (GPL-3.0).")


def test_the_words_on_an_engine():
    assert rules.engine_in_words("auto", FACTS) == "Takes the first that fits of: Built-in."
    assert rules.engine_in_words("builtin", FACTS) == "Ready. Licence: Apache-2.0."
    assert rules.engine_in_words("network", FACTS) == "Not ready: download it."


def test_tumour_and_liver_come_first_among_what_is_offered():
    assert rules.offered_regions(FACTS) == ("tumor", "liver", "vessel")


def test_the_engines_that_there_are_say_what_they_need():
    facts = {engine.name: engine for engine in rules.engine_facts()}
    assert facts["builtin"].ready
    for engine in facts.values():
        assert engine.ready or engine.step, engine.name
        assert engine.licence and engine.offers, engine.name


def test_hints_leave_out_what_holds_of_every_draft():
    hints = (
        QualityItem("mask tumor", "review", "automatic", "accepted", "warning", "Look at every slice."),
        QualityItem("mask tumor", "draft pieces", "2", "1", "warning", "Remove the others."),
        QualityItem("mask tumor", "draft holes", "0 mL", "below 0.05 mL"),
    )
    assert rules.hints_in_words(hints) == ("Pieces 2: Remove the others.",)


def test_tumours_add_up_and_another_liver_takes_the_place_of_the_first():
    regions = {"liver": "liver", "tumor": "tumor"}
    assert rules.accepted_regions(regions, "tumor_1", "tumor") == {**regions, "tumor_1": "tumor"}
    assert rules.accepted_regions(regions, "liver_1", "liver") == {"liver": "", "tumor": "tumor", "liver_1": "liver"}


def test_an_engine_that_lacks_only_pytorch_can_be_started_and_asks_for_it(monkeypatch, tmp_path):
    """One whose weights nobody has named lacks more than a package, and one with a Python of its own another's."""
    found = {}
    monkeypatch.setattr(rules, "find_spec", lambda name: None)
    for name, setup in (
        ("named", Setup(weights=tmp_path / "w.pth")),
        ("not named", Setup()),
        ("elsewhere", Setup(weights=tmp_path / "w.pth", python=tmp_path / "python")),
    ):
        monkeypatch.setattr(rules, "read_setup", lambda engine, setup=setup: setup)
        found[name] = rules._library("medsam")
    assert found == {"named": "deep", "not named": "", "elsewhere": ""}
    facts = (
        EngineFacts("medsam", "MedSAM", BUILTIN.offers, False, "install torch.", library="deep"),
        EngineFacts("builtin", "Built-in", BUILTIN.offers, False, library="segmentation"),
    )
    assert rules.libraries_of("medsam", facts) == ("analysis", "deep")
    assert rules.libraries_of("auto", facts) == ("analysis", "segmentation"), "automatic installs no network"
    assert rules.libraries_of("nnunet", facts) == ("analysis",)
