"""Which layers are ticked: what the person asked for, and whether the engine's model is that way yet. No widgets."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, Signal

from ftgui.protocol import messages as m
from ftgui.protocol.layer_names import LayerNames, UnknownLayerError
from ftgui.ui.engine_client.client import EngineClient, Failure
from ftgui.ui.project.recipe_editor import RecipeEditor

log = logging.getLogger(__name__)


class Ticks(QObject):
    """Between trainings the selected phase says what is asked for, in a training the last tick of the person.

    The engine may answer late: it may be computing the frozen part, measuring a cost, or be paused.

    Args:
        plan: whose selected phase is ticked.
        client: of the engine whose model is ticked.
        parent: owner.
    """

    changed = Signal()
    """`shown`, `pending` or `learning`."""

    refused = Signal(str)
    """The engine would not do it; why."""

    def __init__(self, plan: RecipeEditor, client: EngineClient, parent: QObject) -> None:
        super().__init__(parent)
        self._recipe_editor = plan
        self._client = client
        self.names: LayerNames | None = None
        """Of the engine's model; None: there is none."""
        self.learning: frozenset[int] = frozenset()
        """Units of the model that learn, as the engine said last."""
        self._training = False
        self._run_adjusted: frozenset[int] | None = None
        """Asked for in the running training and not answered yet."""
        self._request = 0
        self._held: object = None
        """What the engine was asked for last between trainings."""

    @property
    def shown(self) -> frozenset[int]:
        """Units that are ticked: what was asked for."""
        if self._training:
            return self.learning if self._run_adjusted is None else self._run_adjusted
        units = self._resolve(self._recipe_editor.ticks)
        return self.learning if units is None else units

    @property
    def pending(self) -> bool:
        """The engine has not done yet what was asked for."""
        return self.shown != self.learning

    @property
    def asked_names(self) -> list[str]:
        """The shortest names of `shown`."""
        return self.names.shortest(self.shown) if self.names is not None else []

    def are(self, layers: list[str]) -> bool:
        """Exactly these layers learn in the engine's model; also where the model has no layers of such names, for what
        can't be compared is no deviation."""
        units = self._resolve(layers)
        return units is None or units == self.learning

    def _resolve(self, layers: list[str]) -> frozenset[int] | None:
        """None: this model has no such layers."""
        try:
            return self.names.resolve(layers) if self.names is not None else None
        except UnknownLayerError as error:
            log.info("%s", error)  # the engine, which is asked for them all the same, tells the person
            return None

    # --- what the person wants --------------------------------------------------------------------------------------

    def tick(self, layers: list[str], words: str) -> None:
        """Let exactly these layers learn: in the selected phase, or in a training from the next step on.

        Args:
            layers: names, of any kind that `LayerNames.resolve` takes.
            words: for undo.
        """
        if self.names is None:
            return
        if self._training:
            self._run_adjusted = self._resolve(layers)
            self._ask(self.names.canonical(layers))
            self.changed.emit()
        else:
            self._recipe_editor.tick(self.names.canonical(layers), words)

    def send(self) -> None:
        """Bring the engine to what the selected phase says, whatever changed it: a tick, a click on a phase, undo."""
        ticks = self._recipe_editor.ticks
        units = self._resolve(ticks)
        wanted = ticks if units is None else units
        if self.names is not None and not self._training and wanted != self._held:
            self._held = wanted
            self._ask(ticks)
        self.changed.emit()

    def _ask(self, layers: list[str]) -> None:
        self._request = self._client.request(m.SetTrainable(0, layers), failed=self._failed)

    # --- what the engine does ---------------------------------------------------------------------------------------

    def model_loaded(self, event: m.ModelLoaded | None) -> None:
        """Another model, or none. Not told by `changed`: who shows the ticks has to show the new tree first."""
        self.names = LayerNames(event.layers) if event is not None else None
        self.learning = frozenset(event.trainable) if event is not None else frozenset()
        self._held = self.learning
        self._run_adjusted = None

    def not_known(self) -> None:
        """What the engine was asked for may not be what its model is: `send` asks again."""
        self._held = None

    def training_begins(self, first: list[str]) -> None:
        """A run was asked for.

        Args:
            first: layers of its first phase; empty: not known.
        """
        self._training = True
        self._request = 0  # the phase's own report answers
        self._run_adjusted = (self._resolve(first) if first else None) or None
        self.changed.emit()

    def training_is_over(self) -> None:
        """The selected phase counts again; `send` has to follow."""
        self._training = False
        self._run_adjusted = None
        self._held = None  # it has ticked as its phases wanted
        self.changed.emit()

    def told(self, event: m.FreezingChanged) -> None:
        """What learns now."""
        self.learning = frozenset(event.trainable)
        if event.request == self._request:
            self._run_adjusted = None
        self.changed.emit()

    def _failed(self, failure: Failure) -> None:
        """All is as it was."""
        if failure.engine_ended:
            return
        if not self._client.waits(self._request):  # else something else was asked for since
            self._run_adjusted = None
            self.changed.emit()
        self.refused.emit(failure.sentence)
