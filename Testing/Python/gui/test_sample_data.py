"""The samples of the Sample Data module: what is registered, and the synthetic patient from button to window."""

import re
import struct
import sys
from pathlib import Path

import pytest

MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sources(application, scene):
    """What the three modules have registered after the application has started."""
    import slicer

    from hccoutcome.gui.sample_data import CATEGORY

    slicer.modules.sampleDataSources = {}
    for name in MODULES:
        application.load_module(ROOT / name / f"{name}.py")
    slicer.app.startupCompleted.emit()
    found = {source.sampleName: source for source in slicer.modules.sampleDataSources.pop(CATEGORY)}
    assert slicer.modules.sampleDataSources == {}
    return found


@pytest.fixture
def loader(sources):
    """What the buttons of the synthetic patients call."""
    loader = sources["Synthetic HCC patient, CT"].customDownloader.__self__
    yield loader
    loader.cancel()


@pytest.fixture
def failures(monkeypatch):
    """What was shown as an error."""
    import slicer

    found = []
    monkeypatch.setattr(slicer.util, "errorDisplay", found.append)
    return found


def put_worker(monkeypatch, tmp_path, code):
    """Let a script stand for the Python that runs ``hcc phantom``."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{code}\n")
    script.chmod(0o755)
    monkeypatch.setattr("hccoutcome.gui.sample_data.worker_python", lambda: str(script))


def test_the_three_modules_register_each_sample_once(sources):
    assert sorted(sources) == [
        "Liver CT (CC BY-SA 4.0)",
        "Synthetic HCC patient, CT",
        "Synthetic HCC patient, MR",
    ]


def test_a_sample_is_generated_or_downloaded_with_its_sha256(sources):
    for source in sources.values():
        assert bool(source.customDownloader) != bool(source.uris)
        for uri, checksum in zip(source.uris, source.checksums, strict=True):
            algorithm, digest = checksum.split(":")
            assert algorithm == "SHA256"
            assert re.fullmatch("[0-9a-f]{64}", digest)
            # The address is made of the contents, as in Slicer's own store.
            assert uri.startswith("https://github.com/Slicer/")
            assert uri.endswith(f"SHA256/{digest}")


def test_the_patients_have_small_thumbnails(sources):
    generated = [source for source in sources.values() if source.customDownloader]
    for source in generated:
        header = Path(source.thumbnailFileName).read_bytes()
        assert struct.unpack(">II", header[16:24]) == (280, 260)
        assert len(header) < 50_000
    assert len({source.thumbnailFileName for source in generated}) == 2


def test_a_press_generates_the_patient_and_chooses_it_in_the_windows(sources, loader, open_module, until, failures):
    import qt
    import slicer
    from standin.sampledata import press

    from hccoutcome.phantom import PhantomSettings, phantom_case
    from hccoutcome.scene.exchange import image_from_node

    press(sources["Synthetic HCC patient, MR"])
    press(sources["Synthetic HCC patient, CT"])  # one at a time: this one is not begun
    folder = loader._folder
    until(lambda: not loader.running, 300)
    assert not failures
    assert not folder.exists()

    widget = open_module("HCCResponse")
    case, ui = widget.window.state.case, widget.window.ui
    assert case.case_id == "phantom-0001"
    assert case.modality == "MR"
    assert set(dict(case.regions).values()) == {"tumor", "liver", "portalvein"}
    assert ui.portalSelector.currentNode() is case.portal
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 4
    expected = phantom_case(1, PhantomSettings(modality="MR"))
    assert (image_from_node(case.delayed)[80, 90, 40]) == expected.images["delayed"][80, 90, 40]
    assert dict(case.clinical)["tumor_diameter"] == f"{expected.clinical['tumor_diameter']:g}"
    ui.modelsList.item(0).setCheckState(qt.Qt.Checked)
    assert ui.applyButton.enabled, ui.readyLabel.text


def test_a_cancelled_patient_leaves_nothing(sources, loader, scene, children, until):
    from standin.sampledata import press

    before = scene.GetNumberOfNodes()
    press(sources["Synthetic HCC patient, CT"])
    folder, dialog = loader._folder, loader._dialog
    assert folder.exists()
    until(lambda: dialog.visible)
    dialog.canceled.emit()
    assert not loader.running
    assert not folder.exists()
    assert not dialog.visible
    until(lambda: not children())
    assert scene.GetNumberOfNodes() == before


LAUNCHER = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(__file__).with_name("child").write_text(str(child.pid))
time.sleep(600)
"""


def test_a_cancelled_patient_ends_what_its_launcher_started(sources, loader, until, monkeypatch, tmp_path):
    """PythonSlicer starts the Python that works, and would leave it behind."""
    import psutil
    from standin.sampledata import press

    put_worker(monkeypatch, tmp_path, LAUNCHER)
    press(sources["Synthetic HCC patient, CT"])
    written = tmp_path / "child"
    until(lambda: written.exists() and written.read_text().isdigit())
    child = psutil.Process(int(written.read_text()))
    loader.cancel()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 2)


def test_a_temporary_folder_that_cannot_be_made_is_told(sources, loader, failures, monkeypatch, tmp_path):
    from standin.sampledata import press

    from hccoutcome.gui import work

    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path / "none"))
    press(sources["Synthetic HCC patient, CT"])
    assert failures == [message for message in failures if message.startswith("No temporary folder can be made")]
    assert len(failures) == 1
    assert not loader.running


def test_a_failed_process_is_told_with_its_last_line(sources, loader, scene, until, failures, monkeypatch, tmp_path):
    from standin.sampledata import press

    put_worker(monkeypatch, tmp_path, "import sys; sys.exit('noise\\nhcc: There is no room on the disk: make some.')")
    press(sources["Synthetic HCC patient, CT"])
    folder = loader._folder
    until(lambda: not loader.running, 300)
    (message,) = failures
    assert "exit status 1" in message
    assert message.endswith("\nhcc: There is no room on the disk: make some.")
    assert not folder.exists()
    assert loader._dialog is None


def test_without_a_python_the_reason_is_told(sources, loader, failures, monkeypatch):
    from standin.sampledata import press

    from hccoutcome.errors import EnvironmentNeeded

    def absent():
        raise EnvironmentNeeded("Slicer's Python was not found: install Slicer again.")

    monkeypatch.setattr("hccoutcome.gui.sample_data.worker_python", absent)
    press(sources["Synthetic HCC patient, CT"])
    assert failures == ["Slicer's Python was not found: install Slicer again."]
    assert not loader.running


def test_a_source_whose_lists_differ_in_length_is_refused(application):
    from SampleData import SampleDataLogic

    with pytest.raises(ValueError, match="same length"):
        SampleDataLogic.registerCustomSampleDataSource("A", "b", uris=["x"], fileNames=[])
    with pytest.raises(TypeError, match="sampleDescription"):
        SampleDataLogic.registerCustomSampleDataSource("A", "b", sampleDescription="no such argument")


def test_the_same_source_is_registered_once(sources):
    import slicer
    from SampleData import SampleDataLogic

    for _ in range(2):
        SampleDataLogic.registerCustomSampleDataSource("A", "b", uris="https://x", fileNames="x", checksums="SHA256:0")
    (source,) = slicer.modules.sampleDataSources.pop("A")
    assert (source.uris, source.nodeNames, source.checksums) == (["https://x"], [None], ["SHA256:0"])
