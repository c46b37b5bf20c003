"""Guessing the phase from words, as radiographers and researchers write them."""

from __future__ import annotations

import pytest

from hccoutcome.case import PHASES
from hccoutcome.imaging.phase import guess_phase


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("ct_art.nii.gz", "arterial"),
        ("LIVER ARTERIAL 1.25", "arterial"),
        ("Late_Arterial_phase", "arterial"),
        ("T1 vibe arterial", "arterial"),
        ("preTACE arterial", "arterial"),
        ("hcc_ap.nii", "arterial"),
        ("Leber arteriell", "arterial"),
        ("Portal venous phase", "portal"),
        ("PV 2.0 B30f", "portal"),
        ("ct_PVP", "portal"),
        ("VEN3", "portal"),
        ("Portal vein phase", "portal"),
        ("1.25mm STD PORTAL/VEN", "portal"),
        ("Thorax venös", "portal"),
        ("delayed 3 min", "delayed"),
        ("late.nii.gz", "delayed"),
        ("Phase tardive", "delayed"),
        ("Non-contrast", "precontrast"),
        ("nativ", "precontrast"),
        ("Abdomen w/o contrast", "precontrast"),
        ("t1_vibe_fs_tra_pre", "precontrast"),
        ("HBP 20min", "hepatobiliary"),
        ("t1.nii.gz", "t1"),
        ("t1ce.nii.gz", "t1ce"),
        ("T2 haste", "t2"),
        ("flair.nii", "flair"),
        ("DWI b800", "dwi"),
        ("ep2d_diff_b50_800_ADC", "adc"),
    ],
)
def test_a_phase_is_found_in_the_words_for_it(text, phase):
    assert guess_phase(text) == phase
    assert phase in PHASES


@pytest.mark.parametrize(
    "text",
    ["ct.nii.gz", "CT Body 3.0", "portalvein.nii.gz", "portal vein", "hepatic artery", "venoussystem.nii.gz", "CT AP",
     "pre-op CT", "Arterial and portal", "T1 T2", "premature", "ct_acq2", ""],
)  # fmt: skip
def test_no_phase_is_guessed_where_none_or_several_are_named(text):
    assert guess_phase(text) is None
