"""The protocol: who is chosen, what is refused, and what a draft carries."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
import SimpleITK as sitk
from lesions import array, ball, box_around, grid, with_lesion

from hccoutcome.case import PHASES, MaskFile
from hccoutcome.errors import Cancelled, EnvironmentNeeded, InputError
from hccoutcome.imaging.reading import read_mask
from hccoutcome.segmentation import Card, Draft, Offer, Readiness, Task, choose, engines, misfit, modality_of, segment
from hccoutcome.segmentation.draft import read_provenance, write_draft
from hccoutcome.segmentation.engine import _MR_ONLY, engine
from hccoutcome.segmentation.hints import draft_hints


@dataclass(frozen=True)
class Toy:
    """An engine that outlines all that is bright, from the image alone."""

    name: str = "toy"
    ready: bool = True
    offers: tuple[Offer, ...] = (Offer("liver", ("none",)), Offer("tumor", ("none", "box"), ("MR",)))

    @property
    def card(self):
        return Card(self.name, "Toy", "3", self.offers, "MIT", "nobody")

    def readiness(self, task=None):
        return Readiness(self.ready, "" if self.ready else "put its weights into /weights.")

    def segment(self, task, progress):
        progress(0.5, "thinking")
        masks = {region: sitk.Cast(task.reference > 100, sitk.sitkUInt8) for region in task.regions}
        return Draft(masks, {"weights": "abc"})


@pytest.fixture
def image():
    empty = grid((20, 40, 40))
    return with_lesion(empty, ball(empty, (20.0, 20.0, 20.0), 9.0), inside=160.0, outside=50.0)


def task(image, region="liver", **changes):
    return Task({"portal": image}, (region,), **changes)


def test_auto_takes_the_first_that_is_ready_and_fits(image):
    first, second = Toy("first", ready=False), Toy("second")
    assert choose("auto", task(image), [first, second]).card.name == "second"
    assert choose("auto", task(image), [replace(first, ready=True), second]).card.name == "first"
    other = Toy("other", offers=(Offer("portalvein", ("none",)),))
    assert choose("auto", task(image), [other, second]).card.name == "second"


def test_an_engine_that_is_not_ready_says_the_one_step(image):
    with pytest.raises(EnvironmentNeeded, match=r"'toy' is not ready on this machine: put its weights into /weights"):
        choose("toy", task(image), [Toy(ready=False)])
    with pytest.raises(InputError, match=r"is ready on this machine; for 'toy': put its weights"):
        choose("auto", task(image), [Toy(ready=False)])


@pytest.mark.parametrize(
    ("region", "modality", "sentence"),
    [
        ("portalvein", "CT", r"gives liver, tumor, found portalvein asked for"),
        ("liver", "MR", r"outlines the liver in CT, found MR"),
        ("tumor", "CT", r"outlines the tumor in MR, found CT"),
    ],
)
def test_a_task_that_an_engine_does_not_fit_is_refused(image, region, modality, sentence):
    with pytest.raises(InputError, match=sentence):
        choose("toy", task(image, region, modality=modality), [Toy()])


def test_a_prompt_that_an_engine_does_not_take_is_refused(image):
    box = box_around(image, array(image))
    assert "needs the image alone, found a box around it" in misfit(Toy().card, task(image, prompt=box))
    assert misfit(Toy().card, task(image, "tumor", prompt=box, modality="MR")) == ""


def test_unknown_engines_and_empty_tasks_are_refused(image):
    with pytest.raises(InputError, match=r"'builtn' is not a known segmentation engine; did you mean 'builtin'"):
        engine("builtn")
    with pytest.raises(InputError, match=r"did you mean 'builtin'"):
        choose("builtn", task(image))
    with pytest.raises(InputError, match=r"needs at least one image"):
        Task({}, ("liver",))
    with pytest.raises(InputError, match=r"needs at least one region"):
        Task({"portal": image}, ())
    with pytest.raises(InputError, match=r"canonical names, found 'Tumour'"):
        Task({"portal": image}, ("Tumour",))


def test_the_built_in_engine_is_last_and_always_ready():
    last = engines()[-1]
    assert last.card.name == "builtin"
    assert last.readiness() == Readiness(True)
    assert "GPL-3" in last.card.licence


def test_without_pymaxflow_the_built_in_engine_names_the_step():
    code = (
        "import sys; sys.modules['maxflow'] = None\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'maxflow' else found(name, *rest)\n"
        "from hccoutcome.segmentation.engine import engine\n"
        "print(engine('builtin').readiness())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ready=False" in done.stdout, done.stderr
    assert "install the Python package PyMaxflow" in done.stdout


def run(image, toy, monkeypatch, **changes):
    monkeypatch.setattr("hccoutcome.segmentation.engine.engines", lambda: (toy,))
    return segment(task(image, **changes), "toy")


def test_a_draft_says_who_made_it_from_what(image, monkeypatch):
    record = run(image, Toy(), monkeypatch).provenance
    assert json.loads(json.dumps(record)) == record
    expected = {
        "engine": "toy",
        "version": "3",
        "licence": "MIT",
        "weights": "abc",
        "images": ["portal"],
        "prompt": None,
    }
    assert expected.items() <= record.items()
    assert record["review"] == "automatic, not reviewed"


def test_an_empty_mask_is_an_error_and_another_grid_a_defect(image, monkeypatch):
    with pytest.raises(InputError, match=r"liver was expected to be found from the image alone, found nothing"):
        run(sitk.Cast(image * 0, sitk.sitkFloat32), Toy(), monkeypatch)

    class Moving(Toy):
        def segment(self, task, progress):
            draft = super().segment(task, progress)
            draft.masks["liver"].SetOrigin((0.0, 0.0, 0.0))
            return draft

    with pytest.raises(ValueError, match=r"lies on another grid"):
        run(image, Moving(), monkeypatch)


def test_a_run_can_be_stopped(image):
    def stop(fraction, message):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        segment(task(image, "tumor", prompt=box_around(image, array(image > 100))), "builtin", stop)


# --- the file ------------------------------------------------------------------------------------------------------


@pytest.fixture
def draft(image):
    liver = sitk.Cast(image > -1000, sitk.sitkUInt8)
    tumour = sitk.Cast(image > 100, sitk.sitkUInt8)
    record = {"engine": "toy", "version": "3", "review": "automatic, not reviewed"}
    return Draft({"liver": liver, "tumor": tumour}, record)


def test_a_draft_in_a_file_reads_back_by_name(draft, image, tmp_path):
    path = write_draft(draft, tmp_path / "draft.seg.nrrd")
    for region, name in (("liver", "Liver"), ("tumor", "Tumour")):
        mask = read_mask(MaskFile(path, name), image)
        assert np.array_equal(array(mask), array(draft.masks[region]))
        assert mask.GetOrigin() == image.GetOrigin()
    assert read_provenance(path) == draft.provenance


def test_slicer_reads_names_codes_colours_and_the_source(draft, image, tmp_path):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    from hccoutcome.scene.appearance import appearance
    from hccoutcome.scene.host import clear_scene, start_host

    start_host()
    clear_scene()
    path = write_draft(draft, tmp_path / "draft.seg.nrrd")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    segmentation = node.GetSegmentation()
    assert [segmentation.GetNthSegmentID(k) for k in range(2)] == ["liver", "tumor"]
    for region in ("liver", "tumor"):
        segment, look, found = segmentation.GetSegment(region), appearance(region), vtk.reference("")
        assert segment.GetName() == look.title
        assert segment.GetColor() == pytest.approx(look.colour, abs=1e-5)
        assert segment.GetTag("HCCOutcome.Source", found)
        assert str(found) == "toy 3"
        segment.GetTag("TerminologyEntry", found)
        assert str(found) == look.terminology
        labels = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(region, labels)
        counted = vtk_to_numpy(labels.GetPointData().GetScalars()).astype(bool).sum()
        assert counted == array(draft.masks[region]).sum()


def test_the_same_task_gives_the_same_bytes(image, tmp_path):
    box = box_around(image, ball(image, (20.0, 20.0, 20.0), 9.0))
    files = [tmp_path / f"{number}.seg.nrrd" for number in range(2)]
    for file in files:
        write_draft(segment(task(image, "tumor", prompt=box), "builtin"), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_ending_is_refused(draft, tmp_path):
    with pytest.raises(InputError, match=r"written as FILE.seg.nrrd, found 'draft.nii.gz'"):
        write_draft(draft, tmp_path / "draft.nii.gz")


# --- the hints -----------------------------------------------------------------------------------------------------


def hints(masks, known=None):
    return {(item.subject, item.check): item for item in draft_hints(masks, known, "toy")}


def test_every_draft_is_called_automatic(draft):
    item = hints(draft.masks)["mask liver", "review"]
    assert (item.found, item.status) == ("automatic by 'toy', not reviewed", "warning")


def test_a_sound_tumour_inside_its_liver_gives_no_other_warning(draft):
    found = draft_hints({"tumor": draft.masks["tumor"]}, {"liver": draft.masks["liver"]}, "toy")
    assert [item.check for item in found if item.status != "ok"] == ["review"]


def test_a_tumour_outside_the_liver_is_pointed_out(draft):
    away = sitk.Cast(draft.masks["liver"] * 0, sitk.sitkUInt8)
    away[0, 0, 0] = 1
    item = hints({"tumor": draft.masks["tumor"]}, {"liver": away})["mask tumor", "draft outside the liver"]
    assert (item.found, item.status) == ("100 %", "warning")


def test_holes_pieces_and_odd_volumes_are_pointed_out(image):
    voxels = np.zeros((20, 40, 40), np.uint8)
    voxels[2:12, 2:12, 2:12] = 1
    voxels[5:9, 5:9, 5:9] = 0
    voxels[15, 30, 30] = 1
    mask = sitk.GetImageFromArray(voxels)
    mask.SetSpacing((1.0, 1.0, 1.0))
    found = hints({"liver": mask})
    assert found["mask liver", "draft holes"].found == "0.064 mL"
    assert found["mask liver", "draft pieces"].found == "2"
    assert found["mask liver", "draft volume"].found == "0.937 mL"
    assert {item.status for item in found.values()} == {"warning"}


def test_a_modality_that_is_not_stated_is_that_of_the_sequences():
    assert modality_of(None, ["portal"]) == modality_of("CT", ["t1"]) == "CT"
    assert modality_of(None, ["portal", "t2"]) == modality_of(None, ["hepatobiliary"]) == "MR"
    assert set(PHASES) > _MR_ONLY


def test_a_missing_prompt_is_asked_for_where_that_would_help(image):
    pointed = Toy("pointed", offers=(Offer("tumor", ("box", "clicks")),))
    waiting = Toy("waiting", ready=False, offers=(Offer("tumor", ("none",)),))
    with pytest.raises(InputError, match=r"for 'waiting': put its weights .* Or give a box around it or clicks in it"):
        choose("auto", task(image, "tumor"), [waiting, pointed])
    with pytest.raises(
        InputError,
        match=r"^No engine outlines the tumor from the image alone: give a box around it or clicks in it; 'pointed'",
    ):
        choose("auto", task(image, "tumor"), [pointed])
    with pytest.raises(InputError, match=r"No engine fits the artery. The engine 'pointed' gives tumor"):
        choose("auto", task(image, "artery"), [pointed])
