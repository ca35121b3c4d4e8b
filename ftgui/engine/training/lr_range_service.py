"""Answers `FindLearningRate`: a range test with the present model."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from ftgui.data.catalog.reading import CatalogReader
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.interruptions import Interruptions, StopRequested, Work
from ftgui.engine.model.model_service import ModelService
from ftgui.engine.training import lr_range
from ftgui.engine.training.intensity_range import intensity_range
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import FROM_SCRATCH


def find_learning_rate(
    command: m.FindLearningRate, emit: Emit, interruptions: Interruptions, models: ModelService
) -> None:
    """A range test with the present model, whatever it has learned by now; it is as before afterwards.

    Raises:
        EngineError: there is no such phase, or nothing to test with.
    """
    loaded, recipe, request = models.require(), command.recipe, command.request
    if not 0 <= command.phase < len(recipe.phases):
        raise EngineError("There is no such phase.")
    with CatalogReader(Path(command.catalog)) as catalog:
        samples = catalog.samples()
        intensity = intensity_range(recipe, catalog, request, emit, interruptions)
    source = lr_range.source_for(
        samples,
        loaded.model,
        loaded.freezer,
        replace(loaded.built.preprocessing, intensity=intensity),
        recipe,
        loaded.device,
        partial(interruptions.poll, Work.RANGE_TEST, request),
    )
    source.progress = lambda what, done, total: emit(m.Progress(what, done, total, request=request))
    try:
        curve = lr_range.range_test(
            source, recipe, command.phase, lambda rate, loss: emit(m.LearningRateTried(request, rate, loss))
        )
        phase, scratch = recipe.phases[command.phase], recipe.backbone.weights == FROM_SCRATCH
        suggestion, why = lr_range.suggest(curve, phase.train, scratch)
    except StopRequested:
        curve, suggestion, why = lr_range.Curve(), 0.0, "Stopped."
    finally:
        source.images.close()
        loaded.model.eval()
    emit(m.LearningRateFound(request, curve.rates, curve.losses, suggestion, why))
