"""Where a run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Position:
    """How far a run has come; plain numbers, so that a checkpoint can hold them."""

    phase: int = -1
    """Index in `Recipe.active_phases`; -1 before the first."""
    epoch: int = 0
    """From 1 over the whole run; the one that runs, or ran last."""
    epoch_in_phase: int = 0
    """Epochs of the phase that are over."""
    batch: int = 0
    """Batches of the running epoch that are done; 0 between epochs."""
    step: int = 0
    """Optimizer steps done."""
    phase_began: int = 0
    """Steps done before the phase."""
