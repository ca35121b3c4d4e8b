"""Before a training that takes long the person is asked, and offered a cheaper way. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client.client import EngineClient, Failure
from ftgui.ui.project.cheaper_training import Way, cheaper_ways

LONG_SECONDS = 30 * 60
"""More is not begun without asking."""

LARGE = 50_000
"""Images in all epochs together. Of a smaller training whose cost is not known yet nobody waits to be told."""


@dataclass(frozen=True)
class LongRunOffer:
    """What the person is asked."""

    recipe: Recipe
    """That was to be trained."""
    seconds: float
    """It takes, if no phase ends early."""
    way: Way | None
    """A cheaper one; None: there is none that would help."""
    way_seconds: float


class LongRun(QObject):
    """Asks the engine what a whole run costs.

    Args:
        client: of the engine that is asked.
        parent: owner.
    """

    offered = Signal(LongRunOffer)
    """The training takes long; nothing is begun."""

    def __init__(self, client: EngineClient, parent: QObject) -> None:
        super().__init__(parent)
        self._client = client
        client.cost_estimated.connect(self._told)
        self._images = (0, 0)
        self._begin: Callable[[], None] | None = None
        """Trains as asked for."""
        self._waiting: dict[int, Way] = {}
        """Questions that are not answered yet, the first about what was asked for itself."""
        self._known: list[tuple[float, Way]] = []
        self._measured = False
        """The engine has told a cost of the present model, so that it tells others at once."""

    @property
    def asking(self) -> bool:
        """It is being found out how long a run takes; when that is known it begins, or is `offered`."""
        return bool(self._waiting)

    def consider(self, recipe: Recipe, train: int, val: int, begin: Callable[[], None]) -> None:
        """Begin the training, or find out first how long it takes.

        Args:
            recipe: of the training.
            train, val: images.
            begin: called if it does not take long, or that can't be found out.
        """
        passes = train * sum(phase.epochs for phase in recipe.active_phases)
        if not self._measured and passes < LARGE:
            begin()
            return
        self.forget()
        self._images, self._begin = (train, val), begin
        self._ask([Way(recipe, "")])

    def _ask(self, ways: list[Way]) -> None:
        for way in ways:
            command = m.EstimateCost(0, way.recipe.active_phases[0].train, way.recipe, *self._images)
            self._waiting[self._client.request(command, failed=self._failed)] = way

    @Slot(m.CostEstimate)
    def _told(self, cost: m.CostEstimate) -> None:
        """The engine's answer to one of its questions, or to somebody else's."""
        self._measured = True
        way = self._waiting.pop(cost.request, None)
        if way is None:
            return
        self._known.append((cost.run_seconds, way))
        if self._waiting:
            return
        (seconds, asked), *others = self._known
        if len(self._known) == 1 and seconds > LONG_SECONDS and (ways := cheaper_ways(asked.recipe, self._images[0])):
            self._ask(ways)
        elif seconds > LONG_SECONDS:
            self._offer(seconds, asked.recipe, others)
        else:
            self._go()

    def _offer(self, seconds: float, recipe: Recipe, others: list[tuple[float, Way]]) -> None:
        """The least change that is short enough, or else the cheapest, if it is worth it."""
        short = [(cost, way) for cost, way in others if 0 <= cost <= LONG_SECONDS]
        cheapest = sorted(((cost, way) for cost, way in others if 0 <= cost < seconds / 2), key=lambda pair: pair[0])
        good = short or cheapest
        cost, way = good[0] if good else (0.0, None)
        self.forget()
        self.offered.emit(LongRunOffer(recipe, seconds, way, cost))

    def _go(self) -> None:
        begin = self._begin
        self.forget()
        if begin is not None:
            begin()

    def _failed(self, failure: Failure) -> None:
        """What can't be told keeps nobody from training."""
        if failure.engine_ended:
            return
        if self._known:
            seconds, asked = self._known[0]
            self._offer(seconds, asked.recipe, [])
        else:
            self._go()

    def forget(self) -> None:
        """Nothing is wanted any more."""
        for request in self._waiting:
            self._client.forget(request)
        self._waiting.clear()
        self._known.clear()
        self._begin = None

    def another_model(self) -> None:
        """Of which no cost is known, or none at all."""
        self.forget()
        self._measured = False
