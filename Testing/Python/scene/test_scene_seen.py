"""What a network sees, and the parts of phases and variables, in the scene; one legend at a time."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import slicer
import worked_example

from hccoutcome.deep.relevance import RelevanceMap
from hccoutcome.deep.seen import SeenVolume
from hccoutcome.scene.build import add_case
from hccoutcome.scene.deepmaps import add_relevance, add_seen, add_shares
from hccoutcome.scene.exchange import image_from_node, table_from_node
from hccoutcome.scene.overlay import set_opacity, show_of_network, volumes_of_networks


def volume_of(case, phase: str) -> SeenVolume:
    image = sitk.Cast(case.images[phase][4:20, 2:18, 3:5], sitk.sitkFloat32)
    return SeenVolume(phase, image * 0 + 0.25)


def map_of(case, phase: str) -> RelevanceMap:
    return RelevanceMap(phase, "gradcam", "of the largest", False, volume_of(case, phase).image)


def test_what_a_network_sees_keeps_values_and_place_and_replaces_what_was_there(scene) -> None:
    case = worked_example.case(oblique=True)
    nodes = add_seen([volume_of(case, "portal"), volume_of(case, "arterial")], add_case(case), "net")
    nodes = add_seen([volume_of(case, "portal")], nodes, "net")
    (node,) = volumes_of_networks(nodes)
    assert node.GetName() == "What net sees, Portal venous phase"
    image, expected = image_from_node(node), volume_of(case, "portal").image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(expected))
    np.testing.assert_allclose(image.GetDirection(), expected.GetDirection(), atol=1e-9)
    display = node.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (1.0, 0.5)


def test_shares_become_a_table_and_no_table_where_there_are_none(scene) -> None:
    case = worked_example.case()
    data = {"method": "rollout", "phases": {"portal": 0.75}, "variables": {"afp": 0.25}}
    nodes = add_shares(data, add_case(case), "net")
    columns = table_from_node(nodes.findings["relevance:net:rollout:shares"])
    assert list(columns["Input"]) == ["Portal venous phase", "afp"]
    assert list(columns["Part"]) == [0.75, 0.25]
    nodes = add_shares({"method": "gradcam", "phases": {}, "variables": {}}, nodes, "net")
    assert not [role for role in nodes.findings if "gradcam" in role]


def test_one_volume_at_a_time_is_shown_with_its_legend(scene) -> None:
    case = worked_example.case()
    nodes = add_seen([volume_of(case, "portal")], add_case(case), "net")
    nodes = add_relevance([map_of(case, "portal"), map_of(case, "arterial")], nodes, "net")
    first, second, seen = volumes_of_networks(nodes)
    legends = [slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node) for node in (first, second)]
    show_of_network(second, nodes, 0.4)
    layers = nodes.scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert layers.GetForegroundVolumeID() == second.GetID()
    assert layers.GetForegroundOpacity() == 0.4
    assert layers.GetBackgroundVolumeID() == nodes.images["arterial"].GetID()
    assert [legend.GetVisibility() for legend in legends] == [0, 1]
    set_opacity(second, 0.1)
    assert layers.GetForegroundOpacity() == 0.1
    show_of_network(seen, nodes)
    set_opacity(second, 0.1)
    assert layers.GetForegroundOpacity() == 1.0, "it is not the one that is shown"
    assert [legend.GetVisibility() for legend in legends] == [0, 0]
    assert layers.GetForegroundVolumeID() == seen.GetID()
