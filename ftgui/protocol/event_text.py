"""The events of a training, or of an example set's download, as lines in a terminal."""

from __future__ import annotations

import time
from typing import TextIO

from ftgui.base.foreign_text import visible
from ftgui.base.formatting import clock, megabytes, percent, plural
from ftgui.protocol import messages as m


def progress(event: m.Progress) -> str:
    """E.g. ``"reading images: 1,200 of 2,000"``, ``"downloading resnet50: 12 of 98 MB"``."""
    if event.unit == "bytes":
        return event.what + (f": {megabytes(event.done, event.total)}" if event.total else "")
    if not event.total:
        return event.what
    return f"{event.what}: {event.done:,} of {event.total:,}"


def prefix(event: m.FrozenFeaturesCached) -> str:
    """E.g. ``"frozen layers cached, 4 views, 12 MB"``, ``"nothing cached: …"``."""
    if not event.cached:
        return f"nothing cached: {event.why}"
    digits = 0 if event.bytes >= 10e6 else 1
    size = f"{event.bytes / 1e9:,.1f} GB" if event.bytes >= 1e9 else f"{event.bytes / 1e6:,.{digits}f} MB"
    return f"frozen layers cached, {plural(event.views, 'view')}, {size}" + (" on disk" if event.on_disk else "")


class ProgressLine:
    """Shows events: on a terminal one line that is rewritten, into a file one line an epoch.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._width = 0
        self._last = 0.0
        self._phases: list[str] = []
        self._epochs = 0
        self.outcome = ""
        """``"done"``, ``"stopped"``, ``"exploded"`` or ``"failed"`` once the run has ended."""

    def show(self, event: m.Event) -> None:
        """Show one event, if it is one a person wants to see."""
        if isinstance(event, m.Progress):
            self._rewrite(progress(event))
        elif isinstance(event, m.TrainingStarted):
            self._phases, self._epochs = event.phases, event.epochs
            self.say(
                f"training on {plural(event.train_samples, 'image')}, validating on {event.val_samples:,}, on {event.device}"
            )
        elif isinstance(event, m.PhaseStarted):
            self._epochs = event.run_epochs
            self.say(
                f"phase {event.phase + 1} of {len(self._phases)}: {event.name}, up to {plural(event.epochs, 'epoch')}, "
                f"learning rate {event.lr:g}"
            )
        elif isinstance(event, m.FrozenFeaturesCached):
            self.say(prefix(event))
        elif isinstance(event, m.RunAdjusted):
            self.say(f"step {event.step:,}: {event.text}")
        elif isinstance(event, m.StepMetrics):
            left = f", {clock(event.seconds_left)} left" if event.seconds_left >= 0 else ""
            self._rewrite(
                f"epoch {event.epoch} of {self._epochs}, step {event.step[-1]:,}, loss {event.loss[-1]:.3f}, "
                f"{event.images_per_second:.0f} images/s{left}"
            )
        elif isinstance(event, m.EpochFinished):
            mark = "  best" if event.best else ""
            self.say(
                f"epoch {event.epoch} of {self._epochs}: train loss {event.train_loss:.3f}, val loss {event.val_loss:.3f}, "
                f"val accuracy {percent(event.val_accuracy)}, {event.seconds:.1f} s{mark}"
            )
        elif isinstance(event, m.PhaseFinished):
            early = ", stopped early" if event.stopped_early else ""
            proof = "unchanged" if event.frozen_unchanged else "CHANGED"
            self.say(f"phase {event.phase + 1} done{early}; frozen layers {proof} ({event.frozen_hash[:8]})")
        elif isinstance(event, m.TrainingFinished):
            self.outcome = event.reason
            best = f" Best validation accuracy {percent(event.best_accuracy)} at epoch {event.best_epoch}."
            self.say(f"{event.message}{best if event.best_epoch else ''} {clock(event.seconds)} in all.")
            if event.best_epoch and not event.unsaved:
                self.say(f"The model is in {event.run_folder}/best")
        elif isinstance(event, m.ExampleSetReady):
            self.outcome = "done"
            self.say(f"{event.name} is in {event.folder}")
        elif isinstance(event, m.CommandFailed):
            self.outcome = "failed"
            self.say(event.message)
        elif isinstance(event, m.Log) and event.level == "notice":
            self.say(event.message)
        elif isinstance(event, m.Log) and event.level != "info":
            self.say(f"{event.level}: {event.message}")

    def say(self, text: str) -> None:
        """A line of its own; whatever a file's name or a run says in it is made `visible`."""
        self.clear()
        self._stream.write(visible(text) + "\n")
        self._stream.flush()

    def _rewrite(self, text: str) -> None:
        if not self._live or time.monotonic() - self._last < 0.1:
            return
        self._last = time.monotonic()
        text = visible(text)
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Take the rewritten line away: something else is going to be written on the terminal."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._width = 0
