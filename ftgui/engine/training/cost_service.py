"""What ticked layers cost: measured once a model, then summed for whatever is ticked."""

from __future__ import annotations

import logging

import msgspec

from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.interruptions import GaveWay, Interruptions, StopRequested, Work
from ftgui.engine.malloc import return_freed_memory
from ftgui.engine.model.loaded_model import LoadedModel
from ftgui.engine.model.model_service import ModelService
from ftgui.engine.model.profile import Profile
from ftgui.engine.training.cost_estimate import CPU_IMAGES, Profiler, estimate, run_seconds
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase, Recipe

log = logging.getLogger(__name__)


class CostService:
    """Answers `EstimateCost`.

    Args:
        emit: takes every event.
        interruptions: a measurement gives way to nearly everything.
        models: whose present model is measured.
    """

    def __init__(self, emit: Emit, interruptions: Interruptions, models: ModelService) -> None:
        self._emit = emit
        self._interruptions = interruptions
        self._models = models
        self._profilers: dict[tuple[int, str, str], Profiler] = {}

    def profiler_of(self, loaded: LoadedModel) -> Profiler:
        """Of the models built since one was last loaded: other weights and a few classes more cost the same."""
        loads = self._models.loads
        self._profilers = {key: kept for key, kept in self._profilers.items() if key[0] == loads}
        return self._profilers.setdefault((loads, loaded.backbone.name, str(loaded.device)), Profiler())

    def forget(self) -> None:
        """Nothing is measured yet."""
        self._profilers.clear()

    @property
    def at_hand(self) -> bool:
        """An estimate takes no time: the present model is measured, or can't be."""
        return self._models.present is not None and self.profiler_of(self._models.present).is_over

    def estimate(self, command: m.EstimateCost) -> None:
        """Answered by `CostEstimate`; the first of a model is measured before.

        Raises:
            EngineError: it can't be said; why.
        """
        loaded = self._models.require()
        measured = self.profiler_of(loaded).profile or self._measured(command, loaded)
        if measured is None:
            return
        answer = estimate(measured, command, loaded.freezer.resolve(command.layers))
        try:
            whole = run_seconds(measured, command, loaded.freezer.resolve)
        except EngineError as error:  # another phase names layers that this model does not have
            log.info("what the run costs is not known: %s", error)
            whole = -1.0
        self._emit(msgspec.structs.replace(answer, run_seconds=whole))

    def _measured(self, command: m.EstimateCost, loaded: LoadedModel) -> Profile | None:
        """None: it gave way, and the command is gone on with after what came in."""
        if self._models.in_training:
            raise EngineError("The cost can be measured when the training is over.")
        profiler = self.profiler_of(loaded)
        images = command.recipe.training.batch_size if loaded.device.type == "cuda" else CPU_IMAGES
        known = profiler.is_over
        self._emit(m.MeasuringCost(command.request, going_on=True))
        try:
            return profiler.measure(
                loaded.model,
                loaded.freezer,
                loaded.built.preprocessing,
                loaded.device,
                images,
                lambda: self._interruptions.poll(Work.MEASUREMENT, command.request),
            )
        except GaveWay:
            self._emit(m.MeasuringCost(command.request, going_on=False))
            self._interruptions.postpone(command)
            return None
        except StopRequested as stop:
            raise EngineError("The cost was not measured: it was stopped.") from stop
        except EngineError as error:
            if not known:  # nobody asked aloud, so a refusal alone would be heard by nobody
                self._emit(m.Log("warning", str(error)))
            raise
        finally:
            return_freed_memory()

    def of_phase(
        self, loaded: LoadedModel, recipe: Recipe, phase: Phase, train: int, val: int
    ) -> m.CostEstimate | None:
        """What a phase will cost, if the model was measured before; a training does not wait for that."""
        profile = self.profiler_of(loaded).profile
        if profile is None:
            return None
        question = m.EstimateCost(0, phase.train, recipe, train, val)
        return estimate(profile, question, loaded.freezer.resolve(phase.train))
