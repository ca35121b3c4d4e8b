"""The optimizer of a phase: which parameters learn, in which groups, at which rate."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ftgui.engine.model.freezing import Freezer
from ftgui.protocol.lr_schedule import learning_rate
from ftgui.protocol.messages import GroupRate
from ftgui.protocol.recipe import Phase, Training


class PhaseOptimizer:
    """AdamW over the parameters that learn, each in exactly one group; frozen ones are in none.

    There are two groups for each stage that learns: norm parameters and biases (one dimension or none) get no weight
    decay, because shrinking them only takes scale away from layers that have no other (as timm's parameter groups do).
    What began to learn later has groups of its own, for a warm-up of its own.

    Args:
        freezer: of the model; says what learns.
        phase: rate and layer decay.
        training: weight decay and warm-up.
        device: where the model is.
        steps: of the whole phase, as planned.
    """

    def __init__(self, freezer: Freezer, phase: Phase, training: Training, device: torch.device, steps: int) -> None:
        self.peak = phase.lr
        self._freezer = freezer
        self._layer_decay = phase.layer_decay
        self._training = training
        self._fused = True if device.type == "cuda" else None
        self._steps = steps
        self._factors: dict[str, float] = {}
        """By top row of the layer tree in which something learns: its share of the phase's rate."""
        self._started_at_step: dict[str, int] = {}
        """By parameter: the step of the phase at which it began to learn."""
        self._named: dict[int, str] = {}
        self._parameters_known: list[nn.Parameter] = []
        self._rebuild(step=0)

    def _rebuild(self, step: int) -> None:
        learning = self._freezer.learning_by_stage()
        # Counted from the back: the last stage that learns has the phase's rate.
        self._factors = {name: self._layer_decay**distance for distance, name in enumerate(reversed(list(learning)))}
        names = [full for parameters in learning.values() for full, _ in parameters]
        self._started_at_step = {full: self._started_at_step.get(full, step) for full in names}
        members: dict[tuple[str, int, float], list[nn.Parameter]] = {}
        for name, parameters in learning.items():
            for full, parameter in parameters:
                decay = self._training.weight_decay if parameter.ndim >= 2 else 0.0
                members.setdefault((name, self._started_at_step[full], decay), []).append(parameter)
        groups = [
            {"params": parameters, "weight_decay": decay, "stage": name, "started_at_step": started}
            for (name, started, decay), parameters in members.items()
        ]
        for parameter in self._parameters_known:
            if not parameter.requires_grad:
                parameter.grad = None
        self._parameters_known = [p for parameters in learning.values() for _, p in parameters]
        for parameter in self._parameters_known:
            if parameter.grad is None:
                # Made once and kept: gradients that come and go with every step lie scattered between the activations
                # of the next one, and the process grew by 240 MB for it (EfficientNet-Lite0, batch 32; measured).
                parameter.grad = torch.zeros_like(parameter)
        self._named = {id(p): full for parameters in learning.values() for full, p in parameters}
        self.adamw = torch.optim.AdamW(groups, lr=self.peak, fused=self._fused)

    @property
    def named(self) -> list[tuple[str, nn.Parameter]]:
        """All that learn, with their names in the model."""
        return [(self._named[id(parameter)], parameter) for parameter in self.parameters]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that learn."""
        return [parameter for group in self.adamw.param_groups for parameter in group["params"]]

    def layers_changed(self, step: int) -> None:
        """Take over what the freezer says now: what stays keeps its state, what is new starts with its own warm-up.

        Args:
            step: of the phase.
        """
        state = self.adamw.state
        self._rebuild(step)
        for parameter in self.parameters:
            if parameter in state:
                self.adamw.state[parameter] = state[parameter]

    def zero_gradients(self) -> None:
        """Before a backward pass."""
        self.adamw.zero_grad(set_to_none=False)

    def step(self) -> None:
        """After it. A parameter that no output depends on (an auxiliary head's) is left alone, as without a gradient."""
        for parameter in self.parameters:
            if parameter not in self.adamw.state and parameter.grad is not None and not parameter.grad.any():
                parameter.grad = None
        self.adamw.step()

    def hold_rate(self, rate: float) -> None:
        """Give every group its share of a rate for the phase, without warm-up or schedule: the range test's steps."""
        for group in self.adamw.param_groups:
            group["lr"] = rate * self._factors[group["stage"]]

    def set_rates(self, step: int) -> None:
        """Give every group the rate of this step of the phase."""
        for group in self.adamw.param_groups:
            group["lr"] = self._rate(self.peak * self._factors[group["stage"]], group["started_at_step"], step)

    def _rate(self, peak: float, started: int, step: int) -> float:
        rate = learning_rate(peak, step, self._steps, self._training.warmup)
        rising = round(self._steps * self._training.warmup) if started else 0
        done = step - started
        return rate * (done + 1) / (rising + 1) if done < rising else rate

    def rates(self) -> list[GroupRate]:
        """What each stage's rate is meant to be at its peak, and what it is now; where a part of the stage still warms up,
        that of the rest."""
        applied: dict[str, float] = {}
        for group in self.adamw.param_groups:
            applied[group["stage"]] = max(float(group["lr"]), applied.get(group["stage"], 0.0))
        return [GroupRate(name, self.peak * self._factors[name], rate) for name, rate in applied.items()]

    @property
    def rate(self) -> float:
        """The highest applied now."""
        return max(float(group["lr"]) for group in self.adamw.param_groups)

    # --- for checkpoints --------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The rate, when each parameter began to learn, and AdamW's quantities by name of parameter, for a checkpoint.
        Tensors are not copied."""
        state = {self._named[id(parameter)]: dict(quantities) for parameter, quantities in self.adamw.state.items()}
        return {"peak": self.peak, "started_at_step": self._started_at_step, "state": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave; the freezer must say what it said then."""
        self.peak = state["peak"]
        self._started_at_step = dict(state["started_at_step"])
        self._rebuild(step=0)
        for name, parameter in self.named:
            quantities = state["state"].get(name)
            if quantities:
                self.adamw.state[parameter] = {
                    quantity: self._placed(quantity, value, parameter) for quantity, value in quantities.items()
                }

    def _placed(self, quantity: str, value: torch.Tensor, parameter: nn.Parameter) -> torch.Tensor:
        """One of AdamW's quantities, read from a checkpoint, where AdamW wants it."""
        if quantity == "step":  # kept on the CPU unless AdamW is fused
            return value.to(parameter.device) if self._fused else value
        # A file has its numbers row by row, the model's may lie channels-last: fused kernels refuse a mixture.
        return torch.empty_like(parameter, requires_grad=False).copy_(value)
