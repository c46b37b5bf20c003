"""The groups of networks in a window: ATOM's advice, and what a network looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hccoutcome.errors import HCCError
from hccoutcome.gui.case_panel import volumes_of
from hccoutcome.gui.models import Model, atom_model
from hccoutcome.gui.network_rules import METHOD_TITLES, advice_in_words, maps_in_words, ready_for_atom, ready_for_maps
from hccoutcome.gui.network_work import AtomWork, Mapped, MapsWork
from hccoutcome.gui.panels import Choices, show_message
from hccoutcome.gui.rules import Chosen
from hccoutcome.gui.run_panel import RunPanel
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.scene.inputs import SceneCase
from hccoutcome.scene.nodes import CaseNodes, find_case_nodes
from hccoutcome.scene.overlay import set_opacity, show_of_network, volumes_of_networks
from hccoutcome.scene.parameters import DEVICES, CaseState
from hccoutcome.treatment.atom import MODELS, Advice

LIBRARIES = ("analysis", "deep")


def folder_of(state: CaseState) -> Path | None:
    """Return the folder in which files are kept, None where none are."""
    return Path(state.output_folder) if state.output_folder else None


class AtomPanel:
    """Four packages, the button, and the advice with its steps in reading order.

    Signals:
        start_asked(), changed(path by model of ATOM).
    """

    def __init__(self, ui: Any, work: AtomWork) -> None:
        """Take the widgets of the group "ATOM"."""
        self.start_asked, self.changed = Signal(), Signal()
        self.work = work
        self.run = RunPanel(ui.atomApplyButton, ui.atomReadyLabel, ui.atomBar, ui.atomMessageLabel)
        self._label = ui.atomLabel
        self._fields = {model: getattr(ui, f"atom{model.title()}Package") for model in MODELS}
        self._messages = {model: getattr(ui, f"atom{model.title()}Message") for model in MODELS}
        self._state: CaseState | None = None
        self._read: dict[tuple[str, str], Model | str] = {}
        self.run.pressed.connect(self.start_asked.emit)
        for model, field in self._fields.items():
            field.connect("currentPathChanged(QString)", lambda path, model=model: self._on_path(model, path))
        self.show_advice(None)

    @property
    def models(self) -> dict[str, Model]:
        """The packages that can be used, by model of ATOM."""
        return {model: found for model, found in self._found().items() if isinstance(found, Model)}

    def show(self, state: CaseState | None) -> None:
        """Show a state; None lets go of it."""
        self._state = state
        if state is None:
            return
        paths, found = dict(state.atom_packages), self._found()
        for model, field in self._fields.items():
            if field.currentPath != paths.get(model, ""):
                field.currentPath = paths.get(model, "")
            message = found.get(model, "")
            show_message(self._messages[model], message if isinstance(message, str) else "")

    def show_advice(self, advice: Advice | None) -> None:
        """Show what ATOM recommends, None for nothing."""
        self._label.setText("" if advice is None else advice_in_words(advice))
        self._label.setVisible(advice is not None)

    def readiness(self, chosen: Chosen) -> tuple[bool, str]:
        """Return whether ATOM can be asked and, if not, the one thing to do next."""
        errors = {model: found for model, found in self._found().items() if isinstance(found, str)}
        return ready_for_atom(chosen, self.models, errors)

    def libraries(self) -> tuple[str, ...]:
        """Return what libraries are needed."""
        return LIBRARIES

    def begin(self, case: SceneCase) -> None:
        """Ask ATOM.

        Raises:
            InputError: the input is wrong.
        """
        models = {model: found.name for model, found in self.models.items()}
        self.work.process(case, models, folder_of(self._state), DEVICES[self._state.device], wait=False)

    def _found(self) -> dict[str, Model | str]:
        """Return every package that is named, or what is wrong with it; each is read once."""
        paths = {} if self._state is None else dict(self._state.atom_packages)
        return {model: self._look_at(model, paths[model]) for model in MODELS if paths.get(model)}

    def _look_at(self, model: str, path: str) -> Model | str:
        key = (model, path)
        if key not in self._read:
            try:
                self._read[key] = atom_model(model, path)
            except HCCError as error:
                self._read[key] = str(error)
        return self._read[key]

    def _on_path(self, model: str, path: str) -> None:
        if self._state is None or self._state.atom_packages.get(model) == (path or None):
            return
        self._read.pop((model, path), None)
        paths = {**dict(self._state.atom_packages), model: path}
        self.changed.emit({name: given for name, given in paths.items() if given})


class MapsPanel:
    """A package, a method, the button, and the volumes that came of it, shown over their images one at a time.

    Signals:
        start_asked(), changed(name of the state's field, value).
    """

    def __init__(self, ui: Any, work: MapsWork, models: Callable[[], Mapping[str, Model]]) -> None:
        """Take the widgets of the group "What a network looks at", and what tells the models with networks."""
        self.start_asked, self.changed = Signal(), Signal()
        self.work = work
        self.run = RunPanel(ui.mapsApplyButton, ui.mapsReadyLabel, ui.mapsBar, ui.mapsMessageLabel)
        self._ui, self._models = ui, models
        self._state: CaseState | None = None
        self._choices = Choices({"package": ui.mapsPackageBox, "method": ui.mapsMethodBox})
        self._volumes: list[Any] = []
        self._asked = "auto"
        self.run.pressed.connect(self.start_asked.emit)
        self._choices.changed.connect(self.changed.emit)
        ui.mapsShowButton.connect("clicked()", self.show_chosen)
        ui.mapsOpacitySlider.setValue(1.0)
        ui.mapsOpacitySlider.connect("valueChanged(double)", self._on_opacity)
        work.finished.connect(self._on_finished)
        self.show_volumes()

    def show(self, state: CaseState | None) -> None:
        """Show a state; None lets go of it."""
        self._state = state
        if state is None:
            return
        models, model = self._models(), self._model()
        methods = () if model is None else tuple(name for name in METHOD_TITLES if name in model.methods)
        self._choices.fill("package", tuple(models), [found.title for found in models.values()], state.maps.package)
        self._choices.fill("method", methods, [METHOD_TITLES[name] for name in methods], state.maps.method)
        self.show_volumes()

    def show_volumes(self) -> None:
        """Offer what networks look at and see in the case, as far as it is in the scene."""
        nodes = self._nodes()
        volumes = [] if nodes is None else volumes_of_networks(nodes)
        if volumes != self._volumes:
            self._volumes = volumes
            self._ui.mapsVolumeBox.clear()
            self._ui.mapsVolumeBox.addItems([node.GetName() for node in volumes])
        for name in ("mapsVolumeBox", "mapsShowButton", "mapsOpacityLabel", "mapsOpacitySlider"):
            getattr(self._ui, name).setVisible(bool(volumes))
        if self.work.mapped is None:
            self._ui.mapsLabel.setText("")
        self._ui.mapsLabel.setVisible(self.work.mapped is not None)

    def show_chosen(self) -> None:
        """Show the chosen volume over its image."""
        volume, nodes = self._volume(), self._nodes()
        if volume is not None and nodes is not None:
            show_of_network(volume, nodes, self._ui.mapsOpacitySlider.value)

    def readiness(self, chosen: Chosen) -> tuple[bool, str]:
        """Return whether the maps can be computed and, if not, the one thing to do next."""
        return ready_for_maps(chosen, self._model())

    def libraries(self) -> tuple[str, ...]:
        """Return what libraries are needed."""
        return LIBRARIES

    def begin(self, case: SceneCase) -> None:
        """Start to map.

        Raises:
            InputError: the input is wrong.
        """
        model, state = self._model(), self._state
        method = state.maps.method if state.maps.method in model.methods else model.methods[0]
        self._asked = DEVICES[state.device]
        self.work.process(case, model.name, method, folder_of(state), self._asked, wait=False)

    def _model(self) -> Model | None:
        """Return the model that is chosen, the first one where it is not there."""
        models = self._models()
        chosen = None if self._state is None else models.get(self._state.maps.package)
        return chosen or next(iter(models.values()), None)

    def _nodes(self) -> CaseNodes | None:
        """Return what the scene holds of the case, with the volumes that are chosen for its phases."""
        if self._state is None or self._state.parameterNode.GetScene() is None:
            return None
        nodes = find_case_nodes(self._state.parameterNode.GetScene()).get(self._state.case.case_id)
        return None if nodes is None else replace(nodes, images=volumes_of(self._state.case))

    def _volume(self) -> Any:
        index = self._ui.mapsVolumeBox.currentIndex
        found = self._volumes[index] if 0 <= index < len(self._volumes) else None
        return None if found is None or found.GetScene() is None else found

    def _on_opacity(self, value: float) -> None:
        volume = self._volume()
        if volume is not None:
            set_opacity(volume, value)

    def _on_finished(self, found: Mapped, nodes: CaseNodes) -> None:
        self._ui.mapsLabel.setText(maps_in_words(found.data, self._asked))
        self._ui.mapsOpacitySlider.setValue(1.0)
        self.show_volumes()
        count = _("Done: {count} maps in the scene.").format(count=found.volumes)
        self.run.show_idle(count if found.volumes else _("Done: no plane of the network has a place in the images."))
