"""Training: one run from the first phase to the best weights, readable from top to bottom in `Training.run`."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from ftgui.data.catalog import Sample
from ftgui.data.project import run_number
from ftgui.engine.errors import EngineError
from ftgui.engine.export import Description, copy_weights, write_model, write_weights
from ftgui.engine.freezing import Freezer, check_trainable
from ftgui.engine.loading import Images, cut
from ftgui.engine.metrics import Figures, Gatherer
from ftgui.engine.phases import learning_rate, make_optimizer, set_learning_rate
from ftgui.engine.runs import RunFolder
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase, Recipe

log = logging.getLogger(__name__)

MESSAGES_PER_SECOND = 15

Emit = Callable[[m.Event], None]


class StopRequested(Exception):
    """The person pressed Stop; raised between steps."""


@dataclass
class Best:
    """The best weights so far."""

    epoch: int
    figures: Figures
    weights: dict[str, torch.Tensor]


@dataclass
class StepLog:
    """Steps waiting to be told. Losses stay on the device until then: one copy a message, not one a step."""

    steps: list[int] = field(default_factory=list)
    losses: list[torch.Tensor] = field(default_factory=list)
    correct: list[torch.Tensor] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    last: float = 0.0


class Training:
    """One run.

    Args:
        model: on its device, with a head for the samples' classes.
        freezer: of that model.
        description: for the finished model's folder.
        samples: all splits.
        root: the dataset folder.
        recipe: what to do.
        run_folder: exists, empty.
        device: where the model is.
        emit: takes every event.
        poll: answers waiting commands; raises `StopRequested` on Stop, and returns seconds spent paused.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        freezer: Freezer,
        description: Description,
        samples: list[Sample],
        root: Path,
        recipe: Recipe,
        run_folder: Path,
        device: torch.device,
        emit: Emit,
        poll: Callable[[], float],
    ) -> None:
        self.model = model
        self.freezer = freezer
        self.description = description
        self.recipe = recipe
        self.device = device
        self.step = 0
        """Optimizer steps done."""
        self.in_train_mode = False
        """Between the steps of an epoch: who uses the model for something else must call `Freezer.train_mode` after."""
        self.usable = False
        """After `run`: the model holds weights that learned something."""
        self._root = root
        self._emit = emit
        self._poll_commands = poll
        self._paused_seconds = 0.0
        self._images = Images(samples, description.preprocessing)
        self._run = RunFolder(run_folder)
        self._best: Best | None = None
        self._epoch = 0
        self._log = StepLog()
        self._busy_seconds = 0.0
        self._images_seen = 0
        self._epoch_seconds: dict[int, list[float]] = {}

    # --- the run ----------------------------------------------------------------------------------------------------

    def run(self) -> m.TrainingFinished:
        """Train; always ends with the best weights in the model and a written result."""
        started = time.monotonic()
        reason, message = "failed", ""
        try:
            torch.manual_seed(self.recipe.seed)
            self._start()
            for index, phase in enumerate(self.recipe.active_phases):
                self._run_phase(index, phase)
            reason, message = "done", "Training is done."
        except StopRequested:
            reason, message = "stopped", "Stopped; the best weights so far are kept."
        except EngineError as error:
            message = str(error)
        except torch.OutOfMemoryError:
            message = _out_of_memory(self.recipe.training.batch_size)
        except Exception as error:
            log.exception("training failed")
            memory = isinstance(error, MemoryError) or "memory" in str(error).lower()
            size = self.recipe.training.batch_size
            message = _out_of_memory(size) if memory else f"The training failed: {type(error).__name__}: {error}"
        finally:
            self._images.close()
        try:
            return self._finish(reason, message, time.monotonic() - started)
        finally:
            self._run.close()

    def _start(self) -> None:
        self._run.write_start(self.recipe, self._images.samples, self._root, self.device)
        self._images.decode_all(self._poll, lambda done, total: self._emit(m.Progress("reading images", done, total)))
        for index, why in self._images.unreadable.items():
            path = self._images.samples[index].path
            self._emit(m.Log("warning", f"{path.relative_to(self._root).as_posix()} is left out: {why}"))
        self._train_indices = self._images.indices("train")
        self._val_indices = self._images.indices("val")
        present = {self._images.samples[index].target for index in self._train_indices}
        if len(present) < 2:
            raise EngineError(
                "There are not two classes with readable training images, so there is nothing to tell apart."
            )
        if len(self._train_indices) < 2:
            raise EngineError("One training image is not enough.")
        for phase in self.recipe.active_phases:
            check_trainable(self.freezer.resolve(phase.train))
        self._steps_per_epoch = len(cut(self._train_indices, self.recipe.training.batch_size))
        epochs = sum(phase.epochs for phase in self.recipe.active_phases)
        self._emit(
            m.TrainingStarted(
                run_folder=str(self._run.folder),
                run=run_number(self._run.folder),
                phases=[phase.name for phase in self.recipe.active_phases],
                epochs=epochs,
                train_samples=len(self._train_indices),
                val_samples=len(self._val_indices),
                device=str(self.device),
            )
        )

    def _run_phase(self, index: int, phase: Phase) -> None:
        if self._best is not None:
            # A phase goes on from the best weights of those before it, not from wherever the last epoch ended.
            self.model.load_state_dict(self._best.weights)
        self.freezer.set_trainable(self.freezer.resolve(phase.train))
        self._emit_freezing()
        before = self.freezer.frozen_hash()
        optimizer = make_optimizer(self.model, phase, self.recipe.training, self.device)
        self._emit(m.PhaseStarted(index, phase.name, self.step, phase.epochs, phase.lr, before))
        self._run.log(
            "phase", phase=index, name=phase.name, step=self.step, layers=self.freezer.names(), frozen_hash=before
        )
        best_in_phase, since_best, stopped_early = (-math.inf, -math.inf), 0, False
        for epoch_in_phase in range(phase.epochs):
            score = self._run_epoch(index, phase, optimizer, epoch_in_phase)
            since_best = 0 if score > best_in_phase else since_best + 1
            best_in_phase = max(best_in_phase, score)
            patience = self.recipe.training.early_stop
            if patience and since_best >= patience and epoch_in_phase + 1 < phase.epochs:
                stopped_early = True
                break
        after = self.freezer.frozen_hash()
        self._emit(m.PhaseFinished(index, after, after == before, stopped_early))
        self._run.log(
            "phase-end", phase=index, frozen_hash=after, frozen_unchanged=after == before, early=stopped_early
        )
        if after != before:
            raise EngineError("Frozen layers changed during the phase; this is a fault in ftgui. Please report it.")

    def _run_epoch(
        self, phase_index: int, phase: Phase, optimizer: torch.optim.Optimizer, epoch_in_phase: int
    ) -> tuple[float, float]:
        """One pass over the training images and one over the validation images.

        Returns:
            the score, to be compared as a tuple: validation accuracy, then lower validation loss; without validation
            images the training's.
        """
        self._epoch += 1
        started, paused = time.monotonic(), self._paused_seconds
        training, steps = self.recipe.training, self._steps_per_epoch
        gathered = Gatherer(len(self.description.class_names), self.device)
        order = torch.randperm(len(self._train_indices)).tolist()
        indices = [self._train_indices[position] for position in order]
        self.freezer.train_mode()
        self.in_train_mode = True
        batches = self._images.batches(
            indices, training.batch_size, self.device, self.recipe.augmentation.preset != "none", self._poll
        )
        clock = time.monotonic()
        for number, batch in enumerate(batches):
            done_in_phase = epoch_in_phase * steps + number
            lr = learning_rate(phase.lr, done_in_phase, phase.epochs * steps, training.warmup)
            set_learning_rate(optimizer, lr)
            with self._autocast():
                logits = as_logits(self.model(batch.images))
                loss = functional.cross_entropy(logits, batch.targets, label_smoothing=training.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            self.step += 1
            detached = logits.detach()
            gathered.add(detached, batch.targets)
            # Told without label smoothing, so that it can be compared with the validation loss.
            plain = functional.cross_entropy(detached.float(), batch.targets)
            self._images_seen += len(batch.targets)
            now = time.monotonic()
            self._busy_seconds += now - clock
            self._note_step(plain, (detached.argmax(1) == batch.targets).float().mean(), lr, phase_index)
            self._poll()
            clock = time.monotonic()
        self.in_train_mode = False
        self._tell_steps(phase_index)
        train = gathered.figures()
        val = self.evaluate()
        seconds = time.monotonic() - started - (self._paused_seconds - paused)
        self._epoch_seconds.setdefault(phase_index, []).append(seconds)
        return self._end_epoch(phase_index, train, val, seconds)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()

    def evaluate(self) -> Figures:
        """The validation images through the model as it is; leaves the model in eval mode."""
        gathered = Gatherer(len(self.description.class_names), self.device)
        self.model.eval()
        batches = self._images.batches(
            self._val_indices, self.recipe.training.batch_size, self.device, False, self._poll
        )
        for batch in batches:
            with torch.inference_mode(), self._autocast():
                logits = as_logits(self.model(batch.images))
            gathered.add(logits, batch.targets)
        return gathered.figures()

    def _end_epoch(self, phase: int, train: Figures, val: Figures, seconds: float) -> tuple[float, float]:
        judged = val if self._val_indices else train
        score = (judged.accuracy, -judged.loss)
        if not math.isfinite(train.loss):
            raise EngineError(
                "The loss is no longer a number: the learning rate was too high. Try a tenth of it. "
                "The best weights before are kept."
            )
        best_score = (self._best.figures.accuracy, -self._best.figures.loss) if self._best else (-math.inf, -math.inf)
        best = score > best_score
        if best:
            self._best = Best(self._epoch, judged, copy_weights(self.model))
            write_model(self._run.folder / "best", self.model, self.description, self._figures(judged))
        write_weights(self._run.folder / "last" / "model.safetensors", self.model)
        event = m.EpochFinished(
            phase=phase,
            epoch=self._epoch,
            step=self.step,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            val_loss=val.loss,
            val_accuracy=val.accuracy,
            best=best,
            seconds=seconds,
        )
        self._emit(event)
        values = {field: getattr(event, field) for field in event.__struct_fields__}
        self._run.log("epoch", **values)
        return score

    def _figures(self, figures: Figures) -> dict[str, float | int | None]:
        accuracy = figures.accuracy if self._val_indices and math.isfinite(figures.accuracy) else None
        return {"val_accuracy": accuracy, "epoch": self._epoch, "step": self.step}

    def _finish(self, reason: str, message: str, seconds: float) -> m.TrainingFinished:
        best = self._best
        if best is not None:
            self.model.load_state_dict(best.weights)
            self.usable = True
        elif reason == "stopped" and self.step:
            # Stopped before the first epoch was over: what was learned so far is all there is.
            write_model(self._run.folder / "best", self.model, self.description, {"step": self.step})
            self.usable = True
        self.in_train_mode = False
        self.model.eval()
        evaluation = None
        if best is not None and self._val_indices:
            confusion = best.figures.confusion.tolist()
            evaluation = m.Evaluation(self.description.class_names, confusion, best.figures.loss, best.figures.accuracy)
        finished = m.TrainingFinished(
            run_folder=str(self._run.folder),
            reason=reason,
            message=message,
            best_epoch=best.epoch if best else 0,
            best_accuracy=best.figures.accuracy if best and self._val_indices else math.nan,
            steps=self.step,
            seconds=seconds,
            evaluation=evaluation,
        )
        result = {field: getattr(finished, field) for field in finished.__struct_fields__ if field != "evaluation"}
        if evaluation is not None:
            result["evaluation"] = {field: getattr(evaluation, field) for field in evaluation.__struct_fields__}
        try:
            self._run.write_result(result)
        except OSError as error:
            self._emit(m.Log("warning", f"The result could not be written: {error}"))
        return finished

    # --- telling ----------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        self._paused_seconds += self._poll_commands()

    def _emit_freezing(self) -> None:
        freezer = self.freezer
        self._emit(
            m.FreezingChanged(
                request=0,
                trainable=sorted(freezer.trainable),
                layers=freezer.names(),
                trainable_parameters=freezer.trainable_parameters,
                total_parameters=freezer.total_parameters,
            )
        )

    def _note_step(self, loss: torch.Tensor, accuracy: torch.Tensor, lr: float, phase: int) -> None:
        log = self._log
        log.steps.append(self.step)
        log.losses.append(loss)
        log.correct.append(accuracy)
        log.rates.append(lr)
        if time.monotonic() - log.last >= 1 / MESSAGES_PER_SECOND:
            self._tell_steps(phase)

    def _tell_steps(self, phase: int) -> None:
        """The one place where a device-to-host copy is paid for during an epoch."""
        log = self._log
        if not log.steps:
            return
        losses = torch.stack(log.losses).float().tolist()
        accuracies = torch.stack(log.correct).float().tolist()
        self._emit(
            m.Steps(
                step=log.steps,
                loss=losses,
                accuracy=accuracies,
                lr=log.rates,
                phase=phase,
                epoch=self._epoch,
                images_per_second=self._images_seen / self._busy_seconds if self._busy_seconds else 0.0,
                seconds_left=self._seconds_left(phase),
                groups=[],
            )
        )
        for step, loss, accuracy, lr in zip(log.steps, losses, accuracies, log.rates, strict=True):
            self._run.log("step", step=step, loss=loss, accuracy=accuracy, lr=lr)
        self._log = StepLog(last=time.monotonic())
        # Decay, so that the rate is that of the last seconds.
        self._busy_seconds *= 0.9
        self._images_seen = int(self._images_seen * 0.9)
        if not all(map(math.isfinite, losses)):
            raise EngineError(
                f"The loss is no longer a number: the learning rate ({log.rates[-1]:.1e}) was too high. "
                "Try a tenth of it. The best weights before are kept."
            )

    def _seconds_left(self, phase: int) -> float:
        """From the epochs measured so far; a phase not reached yet is taken to cost what the present one costs."""
        known = self._epoch_seconds.get(phase) or next(reversed(self._epoch_seconds.values()), None)
        if not known:
            return -1.0
        planned = sum(phase.epochs for phase in self.recipe.active_phases)
        finished_before = sum(phase.epochs for phase in self.recipe.active_phases[:phase])
        done_here = len(self._epoch_seconds.get(phase, []))
        steps = self._steps_per_epoch
        fraction = (self.step - 1) % steps / steps
        return max(0.0, (planned - finished_before - done_here - fraction)) * known[-1]


def _out_of_memory(batch_size: int) -> str:
    return (
        f"The device ran out of memory. Choose a smaller batch (now {batch_size}), tick fewer layers or take a smaller "
        "model; closing other programs on the device may help too."
    )


def as_logits(output: object) -> torch.Tensor:
    """(N, K) from a model's output; models with auxiliary heads return several in training, the first is the main one."""
    if isinstance(output, torch.Tensor):
        return output
    first = output[0]  # type: ignore[index]
    assert isinstance(first, torch.Tensor)
    return first
