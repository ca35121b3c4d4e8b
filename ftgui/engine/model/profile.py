"""What a profile of a model holds: seconds and bytes of each of its layers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Leaf:
    """A leaf module in the order of execution, with what follows it up to the next one; seconds and bytes an image."""

    rows: frozenset[int]
    """Of the layer tree, that own its parameters."""
    infer: float = 0.0
    """Seconds forwards without gradients."""
    forward: float = 0.0
    backward: float = 0.0
    output: int = 0
    """Bytes."""
    saved: int = 0
    """Bytes kept for the backward pass."""


@dataclass
class Profile:
    """Of one model on one device."""

    leaves: list[Leaf]
    traceable: bool
    folded: float
    """Share of the leaves' inference time that is left with batch norms folded, as the frozen prefix has them."""
    augment_seconds: float
    """Preparing one augmented view, by one thread."""
    base_memory: int
    """Bytes of the process, or of the device, with the model and nothing else."""
    image_bytes: int
    """Of a decoded image."""
    row_parameters: dict[int, int] = field(default_factory=dict)
