"""The page of variables, indices and scores is what the schema says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hccoutcome.clinical.document import main, page
from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.scores import LIVER_SCORES
from hccoutcome.clinical.variables import VARIABLES

PAGE = Path(__file__).resolve().parents[3] / "Docs" / "clinical.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it again: python -m hccoutcome.clinical.document Docs/clinical.md"
    )


def test_the_page_names_every_variable_index_and_score() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page().splitlines() if line.startswith("| `")]
    for name in (*VARIABLES, *INDICES, *LIVER_SCORES):
        assert f"`{name}`" in rows


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    assert main([str(tmp_path / "clinical.md")]) == 0
    assert (tmp_path / "clinical.md").read_text(encoding="utf-8") == page()


def test_the_command_without_a_file_says_how_it_is_used(capsys) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: python -m hccoutcome.clinical.document FILE.md\n"


def test_the_clinical_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, hccoutcome.clinical.record, hccoutcome.clinical.scores, hccoutcome.clinical.indices;"
        "print(sorted({'numpy', 'scipy', 'SimpleITK', 'pandas', 'vtk'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
