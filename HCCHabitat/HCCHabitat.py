"""HCCHabitat: the parts of a tumour that behave alike, their map and their features."""

from typing import Any

from slicer.i18n import tr as _

from hccoutcome.gui.module import CaseModule, CaseModuleLogic, CaseModuleTest, CaseModuleWidget


class HCCHabitat(CaseModule):
    """The module as the application lists it."""

    def __init__(self, parent: Any) -> None:
        about = _(
            "Divides a tumour into habitats, the parts whose voxels behave alike over the phases: choose the volumes, "
            "say which segment is the tumour, and press Apply. The map comes over the image as a segmentation, with "
            "volumes, heterogeneity, the elbow, and the features of each habitat; the Clinical-Radiomics-Habitat "
            "score of HCC Response can take the habitats over. The features of whole regions can be computed too."
        )
        CaseModule.__init__(self, parent, _("HCC Habitat"), about)


class HCCHabitatLogic(CaseModuleLogic):
    """The module's work, for the window and for scripts."""

    def __init__(self) -> None:
        from hccoutcome.gui.habitat_work import HabitatWork

        CaseModuleLogic.__init__(self)
        self.habitats = HabitatWork()

    def process(self, case: Any, region: str = "tumor", wait: bool = True, **options: Any) -> Any:
        """Divide a region of a case into habitats; map, tables and elbow come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            region: the region to divide.
            wait: return hccoutcome.habitat.result.HabitatResult when it is done, otherwise None at once.
            options: see hccoutcome.gui.habitat_work.HabitatWork.process.
        """
        return self.habitats.process(case, region, wait=wait, **options)

    def computeFeatures(self, case: Any, settings: list[str], wait: bool = True, **options: Any) -> Any:
        """Compute the features of every region of a case; features and quality table come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            settings: names or paths of radiomics parameter files.
            wait: return hccoutcome.findings.Findings when it is done, otherwise None at once.
            options: see hccoutcome.gui.work.CaseAnalysis.process.
        """
        return self.analysis.process(case, settings=settings, wait=wait, **options)


class HCCHabitatWidget(CaseModuleWidget):
    """The module's window."""

    Logic = HCCHabitatLogic
    ui_file = "UI/HCCHabitat.ui"

    def createWindow(self, ui: Any) -> Any:
        """Return the window on the widgets of the .ui file."""
        from hccoutcome.gui.habitat_window import HabitatWindow

        return HabitatWindow(ui, self.works(), self.application(), self.logic.habitats)


class HCCHabitatTest(CaseModuleTest):
    """The module's test inside the application."""

    def test_HCCHabitat(self) -> None:
        """The tumour falls into habitats without gap or overlap, numbered by their portal venous grey level."""
        from hccoutcome.habitat.settings import HabitatSettings

        self.delayDisplay("Dividing the synthetic patient's tumour")
        logic = HCCHabitatLogic()
        logic.installRequirements()
        case = self.phantomCase()
        result = logic.process(case, settings=HabitatSettings(k=3, repeats=0, radiomics=None))
        means = [habitat["means"]["portal"] for habitat in result.summary["habitats"]]
        self.assertEqual(means, sorted(means))
        segmentation = logic.habitats.nodes.findings["habitats"]
        self.assertEqual(segmentation.GetSegmentation().GetNumberOfSegments(), 3)
        habitats = [self.voxels(segmentation, key) for key in segmentation.GetSegmentation().GetSegmentIDs()]
        self.assertEqual(sum(habitats), self.voxels(case.segmentation, "tumor"))
        self.delayDisplay("Test passed")

    @staticmethod
    def voxels(segmentation: Any, segment: str) -> int:
        """Return how many voxels a segment has."""
        import SimpleITK as sitk

        from hccoutcome.scene.exchange import region_from_segment

        return int(sitk.GetArrayFromImage(region_from_segment(segmentation, segment)).sum())
