"""Early stopping: a phase ends when a number of epochs brought no better score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

NO_SCORE = (-math.inf, -math.inf)


@dataclass
class EarlyStopping:
    """Decides between epochs whether the present phase has brought all it will.

    A score is the accuracy and, where two are equal, the lower loss: of the validation images, or of the training images
    where there are no others.
    """

    patience: int
    """Epochs without a better score after which a phase ends; 0: none ends early."""
    epochs_without_better: int = 0
    best_score: tuple[float, float] = NO_SCORE
    """Accuracy and negated loss of the phase's best epoch."""

    @property
    def is_due(self) -> bool:
        """Whether the phase is to end now."""
        return 0 < self.patience <= self.epochs_without_better

    def begin_phase(self) -> None:
        """Forget the phase before: each has its own best score."""
        self.epochs_without_better, self.best_score = 0, NO_SCORE

    def see(self, accuracy: float, loss: float) -> None:
        """Take the score of an epoch that is over."""
        score = (accuracy, -loss)
        self.epochs_without_better = 0 if score > self.best_score else self.epochs_without_better + 1
        self.best_score = max(self.best_score, score)

    def state_dict(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {
            "patience": self.patience,
            "epochs_without_better": self.epochs_without_better,
            "best_score": self.best_score,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.patience = state["patience"]
        self.epochs_without_better = state["epochs_without_better"]
        self.best_score = state["best_score"]
