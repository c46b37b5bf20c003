from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
import worked_example

from hccoutcome.case import REGIONS
from hccoutcome.errors import InputError
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.appearance import CT_LIVER_WINDOW, appearance, window_level
from hccoutcome.scene.build import add_case, add_findings
from hccoutcome.scene.host import TERMINOLOGY_CONTEXT, load_terminology, start_host
from hccoutcome.scene.nodes import CASE, find_case_nodes, nodes_of, remove_case

ALL_REGIONS = [*REGIONS, "habitat3", "tumor2", *(f"segment{number}" for number in range(1, 9))]


def names(scene) -> list[str]:
    """Return the names of all nodes, without the number that tells helpers of one kind apart."""
    nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
    return sorted(re.sub(r"_\d+$", "", node.GetName() or "") for node in nodes)


def test_the_host_starts_once(scene) -> None:
    assert start_host() is scene is slicer.mrmlScene
    assert slicer.modules.segmentations.logic().GetMRMLScene() is scene


def test_adding_twice_replaces(scene) -> None:
    case, findings = worked_example.case(), worked_example.findings()
    add_findings(findings, add_case(case))
    before = names(scene)
    nodes = add_findings(findings, add_findings(findings, add_case(case)))
    assert names(scene) == before
    assert nodes.findings.keys() >= {"results", "liver-scores", "clinical", "quality", "features", "provenance"}


def test_removing_a_case_leaves_the_scene_as_it_was(scene) -> None:
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    before = names(scene)
    add_findings(worked_example.findings(), add_case(worked_example.case()))
    remove_case(scene, "example-1")
    assert [name for name in names(scene) if name not in before] == []
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert hierarchy.GetNumberOfItems() == 0


def test_cases_stand_side_by_side(scene) -> None:
    first = worked_example.case()
    add_case(first)
    other = add_case(type(first)(case_id="other", images={"portal": first.images["portal"]}))
    assert set(find_case_nodes(scene)) == {"example-1", "other"}
    assert other.images["portal"].GetAttribute(CASE) == "other"
    assert other.segmentations == ()


def test_an_unknown_case_is_named(scene) -> None:
    add_case(worked_example.case())
    with pytest.raises(InputError, match="The scene holds no case 'exmple-1'; did you mean 'example-1'"):
        nodes_of(scene, "exmple-1")


def test_a_real_case_is_not_called_synthetic(scene) -> None:
    add_case(worked_example.case(synthetic=False))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert hierarchy.GetItemByName("example-1") > 0
    assert hierarchy.GetItemByName("example-1 (synthetic)") == 0


def test_a_refused_score_has_no_number_in_the_table(scene) -> None:
    nodes = add_findings(worked_example.findings(), add_case(worked_example.case()))
    table = nodes.findings["results"].GetTable()
    assert np.isnan(table.GetValueByName(1, "Score").ToDouble())
    assert table.GetValueByName(1, "Applicability").ToString() == "refused"
    assert "No reference table was given." in table.GetValueByName(1, "Reasons").ToString()


@pytest.mark.parametrize("region", ALL_REGIONS)
def test_every_region_has_a_code_that_the_shipped_terminology_knows(scene, region: str) -> None:
    logic = slicer.modules.terminologies.logic()
    load_terminology()
    entry = slicer.vtkSlicerTerminologyEntry()
    look = appearance(region)
    assert logic.DeserializeTerminologyEntry(look.terminology, entry)
    codes = (look.category.scheme, look.category.value, look.type.scheme, look.type.value)
    assert logic.FindTerminologyNames(*codes, "", "", (), None, None) == (TERMINOLOGY_CONTEXT,)
    assert logic.FindTerminologyNames(*codes[:3], "0", "", "", (), None, None) == ()
    assert entry.GetTypeObject().GetCodeMeaning() == look.type.meaning


def test_regions_are_told_apart_by_colour() -> None:
    colours = [appearance(region).colour for region in REGIONS]
    assert len(set(colours)) == len(colours)


@pytest.mark.parametrize(
    ("phase", "title"), [("portal", "Portal venous phase"), ("precontrast", "Before contrast"), ("adc", "ADC")]
)
def test_phases_have_titles(phase: str, title: str) -> None:
    assert phase_title(phase) == title


def test_ct_is_shown_in_the_liver_window_and_anything_else_by_its_values() -> None:
    hounsfield = np.linspace(-1000, 1000, 1000)
    assert window_level(hounsfield, "CT") == window_level(hounsfield, None) == CT_LIVER_WINDOW
    magnetic = np.concatenate([np.zeros(500), np.linspace(1, 1001, 1001)])
    width, level = window_level(magnetic, "MR")
    assert (level - width / 2, level + width / 2) == pytest.approx((11.0, 996.0), abs=0.1)
    assert window_level(np.full(5, 7.0), "MR") == (1.0, 7.0)


def test_a_missing_slicer_is_explained() -> None:
    code = (
        "import sys; sys.modules['slicer'] = None\n"
        "from hccoutcome.errors import EnvironmentNeeded\n"
        "try:\n    import hccoutcome.scene.build\nexcept EnvironmentNeeded as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == (
        "The scene and its pictures need 3D Slicer's libraries, which are not installed: "
        "run pip install slicer-core, or work inside 3D Slicer."
    )


def test_another_package_called_slicer_is_told_apart() -> None:
    code = (
        "import sys, types; sys.modules['slicer'] = types.ModuleType('slicer')\n"
        "from hccoutcome.errors import EnvironmentNeeded\n"
        "try:\n    from hccoutcome.scene import host\n    host.start_host()\n"
        "except EnvironmentNeeded as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another package named 'slicer' is installed" in run.stdout


def test_module_logics_are_found_where_only_slicers_own_python_runs(tmp_path: Path) -> None:
    (tmp_path / "vtkSlicerTextsModuleLogicPython.py").write_text("class vtkSlicerTextsLogic:\n    here = True\n")
    code = (
        "import sys, slicer; sys.path.insert(0, sys.argv[1]); del slicer.vtkSlicerTextsLogic\n"
        "from hccoutcome.scene import host; host._find_module_classes(); print(slicer.vtkSlicerTextsLogic.here)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("True", "")


def test_the_hosts_temporary_files_are_gone_when_the_process_ends(tmp_path: Path) -> None:
    code = "from hccoutcome.scene.host import start_host; start_host()"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)})
    assert run.returncode == 0
    assert list(tmp_path.iterdir()) == []
