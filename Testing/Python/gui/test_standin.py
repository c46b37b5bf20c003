"""Every stand-in does what Slicer's own does, and refuses what Slicer's own refuses."""

from typing import Annotated

import pytest


@pytest.fixture
def qt(application):
    import qt

    return qt


@pytest.fixture
def slicer(scene):
    import slicer

    return slicer


UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Example</class>
<widget class="qMRMLWidget" name="Example"><layout class="QVBoxLayout" name="layout">
<item><widget class="qMRMLNodeComboBox" name="selector">
 <property name="{property}"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
 <property name="SlicerParameterName" stdset="0"><string>volume</string></property></widget></item>
<item><widget class="{cls}" name="button"/></item></layout></widget>
<connections><connection><sender>Example</sender><signal>{signal}</signal>
<receiver>selector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections></ui>"""
GOOD = {"property": "nodeTypes", "cls": "QPushButton", "signal": "mrmlSceneChanged(vtkMRMLScene*)"}


def load_ui(slicer, folder, **changes):
    path = folder / "example.ui"
    path.write_text(UI.format(**{**GOOD, **changes}))
    return slicer.util.loadUI(str(path))


# --- PythonQt's manners -------------------------------------------------------------------------------------------


def test_properties_are_attributes_and_setters_are_methods(qt):
    button = qt.QPushButton("one")
    assert button.text == "one"
    button.text = "two"
    assert button.text == "two"
    button.setText("three")
    assert button.text == "three"
    button.name = "button"
    assert button.objectName == "button"
    assert button.className() == "QPushButton"


def test_calling_a_property_is_an_error_as_in_pythonqt(qt):
    with pytest.raises(TypeError, match="'str' object is not callable"):
        qt.QPushButton("one").text()


def test_an_unknown_attribute_is_an_error_read_or_set(qt):
    button = qt.QPushButton()
    with pytest.raises(AttributeError):
        _ = button.txt
    with pytest.raises(AttributeError, match="QPushButton has no attribute 'txt' and none can be added"):
        button.txt = "one"


def test_an_unknown_class_is_an_error(qt):
    with pytest.raises(AttributeError):
        _ = qt.QDial


def test_a_slot_gets_as_many_values_as_the_signature_names(qt):
    heard = []
    button = qt.QPushButton()
    button.connect("clicked()", lambda: heard.append(()))
    button.connect("clicked(bool)", lambda checked: heard.append(checked))
    button.click()
    assert heard == [(), False]


def test_an_unknown_signal_or_a_wrong_signature_is_an_error(qt):
    with pytest.raises(ValueError, match=r"QPushButton has no signal pressd\(\)"):
        qt.QPushButton().connect("pressd()", print)
    with pytest.raises(ValueError):
        qt.QPushButton().connect("clicked(int)", print)
    with pytest.raises(TypeError, match="None is not callable"):
        qt.QPushButton().connect("clicked()", None)


def test_a_disconnected_slot_is_called_no_more(qt):
    heard = []
    slot = heard.append
    line = qt.QLineEdit()
    line.connect("textChanged(QString)", slot)
    line.text = "a"
    assert line.disconnect("textChanged(QString)", slot)
    line.text = "b"
    assert heard == ["a"]
    assert not line.disconnect("textChanged(QString)", slot)


def test_a_timer_fires(qt, until):
    heard = []
    timer = qt.QTimer()
    timer.setInterval(1)
    timer.connect("timeout()", lambda: heard.append(1))
    timer.start()
    until(lambda: heard)
    timer.stop()


def test_asking_for_a_file_returns_its_path_alone(qt, monkeypatch):
    monkeypatch.setattr(qt.QtWidgets.QFileDialog, "getOpenFileName", staticmethod(lambda *words: ("/a.json", "*.json")))
    assert qt.QFileDialog.getOpenFileName(None, "Title", "", "*.json") == "/a.json"


# --- .ui files ----------------------------------------------------------------------------------------------------


def test_a_ui_file_gives_stand_ins_with_properties_and_connections(slicer, tmp_path):
    root = load_ui(slicer, tmp_path)
    ui = slicer.util.childWidgetVariables(root)
    assert type(ui.selector) is slicer.qMRMLNodeComboBox
    assert ui.selector.nodeTypes == ["vtkMRMLScalarVolumeNode"]
    assert ui.selector.property("SlicerParameterName") == "volume"
    root.setMRMLScene(slicer.mrmlScene)
    assert ui.selector.mrmlScene() is slicer.mrmlScene
    root.setMRMLScene(None)
    assert ui.selector.mrmlScene() is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"property": "nodeType"}, "qMRMLNodeComboBox has no property 'nodeType'"),
        ({"cls": "QDial"}, "The .ui file uses QDial, for which there is no stand-in"),
        ({"signal": "sceneChanged()"}, r"qMRMLWidget has no signal sceneChanged\(\)"),
    ],
)
def test_a_ui_file_with_a_mistake_is_refused(slicer, tmp_path, changes, error):
    with pytest.raises((AttributeError, TypeError, ValueError), match=error):
        load_ui(slicer, tmp_path, **changes)


# --- CTK ----------------------------------------------------------------------------------------------------------


def test_a_collapsible_button_hides_its_contents(qt):
    import ctk

    button, heard = ctk.ctkCollapsibleButton(), []
    layout = qt.QVBoxLayout(button)
    label = qt.QLabel("inside")
    layout.addWidget(label)
    button.text = "Title"
    button.connect("contentsCollapsed(bool)", heard.append)
    button.show()
    assert label.visible
    button.collapsed = True
    assert not label.visible
    assert (button.collapsed, button.text, heard) == (True, "Title", [True])
    button.collapsed = False
    assert label.visible
    button.close()


def test_what_was_hidden_before_stays_hidden_when_a_button_unfolds(qt):
    import ctk

    button = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(button)
    label = qt.QLabel("inside")
    layout.addWidget(label)
    label.setVisible(False)
    button.show()
    button.collapsed = True
    button.collapsed = False
    assert not label.visible
    button.close()


def test_a_path_line_edit_announces_its_path(qt):
    import ctk

    edit, heard = ctk.ctkPathLineEdit(), []
    edit.filters = ctk.ctkPathLineEdit.Dirs
    edit.connect("currentPathChanged(QString)", heard.append)
    edit.currentPath = "/folder"
    assert (edit.currentPath, heard) == ("/folder", ["/folder"])


def test_a_slider_widget_announces_its_number_and_keeps_its_range(qt):
    import ctk

    slider, heard = ctk.ctkSliderWidget(), []
    slider.minimum, slider.maximum, slider.singleStep, slider.decimals = 0.0, 1.0, 0.05, 2
    slider.connect("valueChanged(double)", heard.append)
    slider.value = 0.25
    slider.setValue(7.0)
    assert (slider.value, heard) == (1.0, [0.25, 1.0])
    assert (slider.minimum, slider.maximum, slider.singleStep, slider.decimals) == (0.0, 1.0, 0.05, 2)


# --- node selector ------------------------------------------------------------------------------------------------


@pytest.fixture
def selector(slicer):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    yield selector
    selector.setMRMLScene(None)


def test_a_selector_follows_nodes_that_come_and_go(slicer, selector):
    heard = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    assert selector.nodeCount() == 1
    assert selector.currentNode() is None
    selector.setCurrentNode(volume)
    assert selector.currentNode() is volume
    slicer.mrmlScene.RemoveNode(volume)
    assert selector.currentNode() is None
    assert heard == [volume, None]


def test_a_selector_without_none_takes_the_first_node(slicer, selector):
    selector.noneEnabled = False
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    assert selector.currentNode() is volume


def test_a_selector_shows_no_hidden_nodes_and_children_only_when_asked(slicer, selector):
    hidden = slicer.vtkMRMLScalarVolumeNode()
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(hidden)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    assert selector.nodeCount() == 1
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 0


def test_a_selector_shows_only_nodes_with_the_attribute_asked_for(slicer, selector):
    selector.addAttribute("vtkMRMLScalarVolumeNode", "role", "map")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "plain")
    marked = slicer.vtkMRMLScalarVolumeNode()
    marked.SetAttribute("role", "map")
    slicer.mrmlScene.AddNode(marked)
    assert selector.nodeCount() == 1
    selector.setCurrentNode(marked)
    assert selector.currentNode() is marked


def test_a_selector_without_a_scene_is_disabled(slicer):
    assert not slicer.qMRMLNodeComboBox().enabled


# --- parameter node wrapper ---------------------------------------------------------------------------------------


@pytest.fixture
def wrapper(slicer):
    from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper, parameterPack

    @parameterPack
    class Pack:
        volume: slicer.vtkMRMLScalarVolumeNode
        name: str = "pack"
        words: dict[str, str]

    @parameterNodeWrapper
    class State:
        pack: Pack
        items: list[str]
        kind: Annotated[str, Choice(["a", "b"])] = "a"
        text: str
        truth: bool = True

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    return State, node


def test_defaults_are_written_once_and_values_stay(wrapper):
    State, node = wrapper
    state = State(node)
    assert (state.pack.name, state.pack.volume, dict(state.pack.words), list(state.items)) == ("pack", None, {}, [])
    state.text, state.kind = "t", "b"
    again = State(node)
    assert (again.text, again.kind) == ("t", "b")
    assert node.GetParameter("pack.name") == "pack"


def test_what_is_read_writes_back_when_it_is_changed(slicer, wrapper):
    State, node = wrapper
    state = State(node)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    state.pack.volume = volume
    state.pack.words["k"] = "v"
    state.items.append("x")
    state.items.append("y")
    del state.items[0]
    assert State(node).pack.volume is volume
    assert dict(State(node).pack.words) == {"k": "v"}
    assert State(node).items == ["y"]
    assert node.GetNodeReference("pack.volume") is volume
    assert not node.HasParameter("items.1")


def test_one_assignment_is_one_event(wrapper):
    State, node = wrapper
    state, heard = State(node), []
    state.AddObserver("ModifiedEvent", lambda caller, event: heard.append(event))
    state.items = ["a", "b", "c"]
    state.pack.words = {"a": "b", "c": "d"}
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("text", 1, TypeError),
        ("text", None, TypeError),
        ("truth", "True", TypeError),
        ("kind", "c", ValueError),
        ("items", [1], TypeError),
        ("pack.volume", "id", TypeError),
        ("pack.nothing", "x", ValueError),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(wrapper, name, value, error):
    State, node = wrapper
    with pytest.raises(error):
        State(node).setValue(name, value)


def test_a_pack_takes_no_new_attributes(wrapper):
    State, node = wrapper
    with pytest.raises(AttributeError):
        State(node).pack.nothing = 1


def test_a_type_that_no_module_uses_is_an_error(slicer):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    class Wrong:
        number: int

    with pytest.raises(TypeError, match="knows no parameter of type"):
        parameterNodeWrapper(Wrong)


def test_widgets_and_parameters_follow_each_other_until_disconnected(slicer, qt, wrapper, selector):
    State, node = wrapper
    state = State(node)
    line, box, check = qt.QLineEdit(), qt.QComboBox(), qt.QCheckBox()
    tag = state.connectParametersToGui({"text": line, "kind": box, "pack.volume": selector, "truth": check})
    assert box.count == 2
    assert check.checked
    check.click()
    assert state.truth is False
    state.truth = True
    assert check.checked
    assert node.GetParameter("truth") == "True"
    line.text = "from the widget"
    assert state.text == "from the widget"
    state.kind = "b"
    assert box.currentText == "b"
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    selector.setCurrentNode(volume)
    assert state.pack.volume is volume
    state.pack.volume = None
    assert selector.currentNode() is None
    state.disconnectGui(tag)
    line.text = "alone"
    assert state.text == "from the widget"


def test_a_widget_that_cannot_show_a_parameter_is_an_error(qt, wrapper):
    State, node = wrapper
    with pytest.raises(RuntimeError, match="Unable to create GUI connector"):
        State(node).connectParametersToGui({"text": qt.QLabel()})
    with pytest.raises(RuntimeError, match="requires the Choice annotation"):
        State(node).connectParametersToGui({"text": qt.QComboBox()})
    with pytest.raises(ValueError, match="Cannot find a param"):
        State(node).connectParametersToGui({"nothing": qt.QLineEdit()})


# --- scripted module ----------------------------------------------------------------------------------------------


def test_the_parameter_node_is_a_singleton_that_survives_closing_the_scene(slicer):
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class ExampleLogic(ScriptedLoadableModuleLogic):
        pass

    logic = ExampleLogic()
    node = logic.getParameterNode()
    assert logic.getParameterNode() is node
    assert (node.GetAttribute("ModuleName"), node.GetSingletonTag()) == ("Example", "Example")
    slicer.mrmlScene.Clear(0)
    assert logic.getParameterNode() is not None


def test_a_modules_description_takes_only_what_the_application_knows(application, tmp_path):
    parent = application.LoadableModule(tmp_path / "Example.py")
    parent.title = "Title"
    with pytest.raises(AttributeError, match="has no attribute 'titel'"):
        parent.titel = "Title"


def test_a_modules_test_runs_every_method_with_test_in_its_name(application):
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

    heard = []

    class ExampleTest(ScriptedLoadableModuleTest):
        def setUp(self):
            heard.append("setUp")

        def test_one(self):
            heard.append("one")

        def test_two(self):
            heard.append("two")

    ExampleTest().runTest()
    assert heard == ["setUp", "one", "setUp", "two"]


def test_the_icon_and_the_resources_are_found_beside_the_module(application, open_module):
    import slicer

    widget = open_module("HCCSurvival")
    assert widget.resourcePath("UI/HCCSurvival.ui").endswith("HCCSurvival/Resources/UI/HCCSurvival.ui")
    assert not slicer.modules.hccsurvival.icon.isNull()
    assert "HCCSurvival" in slicer.selfTests
