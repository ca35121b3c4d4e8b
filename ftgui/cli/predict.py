"""``ftgui predict``: what do these pictures show? One row each on stdout, as soon as it is known."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ftgui.cli.terminal import ends_well, say, write_json

Row = dict[str, Any]


def add_to(commands: Any) -> None:
    """Its part of the command line."""
    parser = commands.add_parser("predict", help="classify images; output as CSV or JSON lines")
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL_OR_RUN",
        help="folder of a model, a run or a project (then its run in use)",
    )
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE_OR_FOLDER",
        help="folders, and zips or tars of them, are searched",
    )
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default: csv")
    parser.add_argument(
        "--threshold",
        type=float,
        help="answers below this probability become “don't know” (default: the model's own threshold)",
    )
    parser.add_argument("--top", type=int, default=1, metavar="K", help="the K most probable classes (default: 1)")
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda, cuda:1 … (default: auto)")
    parser.set_defaults(do=run)


def run(options: argparse.Namespace) -> int:
    """Exit status: 1 too if an image could not be read, or there was none."""
    return ends_well(lambda: _predict(options))


def _predict(options: argparse.Namespace) -> int:
    from ftgui.base.formatting import plural
    from ftgui.base.job import Job
    from ftgui.cli.which_run import run_or_model
    from ftgui.data.scanning.given_images import count_given, opened, why_no_images
    from ftgui.engine.errors import EngineError
    from ftgui.protocol import messages as m
    from ftgui.protocol.event_text import ProgressLine
    from ftgui.runs.model_folder import model_folder, read_about

    folder = model_folder(run_or_model(options.model))
    about = read_about(folder)  # before torch, whose import takes seconds
    threshold = about.threshold if options.threshold is None else options.threshold
    if not 0 <= threshold <= 1:
        raise EngineError(f"A threshold is a probability, from 0 to 1, not {threshold:g}.")
    top = min(max(options.top, 1), len(about.class_names))
    given = opened(options.images, Job())
    total = count_given(given, Job())
    line = ProgressLine(sys.stderr)
    put = _csv(top) if options.format == "csv" else _json
    done = unreadable = 0
    for rows in _answers(folder, given, options.device, threshold, top):
        line.clear()
        for row in rows:
            put(row)
        sys.stdout.flush()
        done += len(rows)
        unreadable += sum("problem" in row for row in rows)
        line.show(m.Progress("classifying images", done, max(total, done)))
    line.clear()
    if not done:
        say(why_no_images(given))
        return 1
    say(plural(done, "image") + (f", {unreadable:,} of them can't be read" if unreadable else ""))
    return 1 if unreadable else 0


def _answers(folder: Path, given: list[Path], device_name: str, threshold: float, top: int) -> Iterator[list[Row]]:
    """Some at a time, in the order given; the memory used does not depend on how many there are."""
    from contextlib import closing

    from ftgui.data.scanning.given_images import images_below
    from ftgui.engine import devices
    from ftgui.engine.inference.batch_inference import run_inference
    from ftgui.engine.inference.predict_files import DONT_KNOW
    from ftgui.engine.malloc import keep_freed_memory
    from ftgui.engine.model.loaded_model import open_finished

    keep_freed_memory()
    device = devices.pick(device_name)
    built, about = open_finished(folder)
    built.model.to(device)
    items = ((numbered, numbered[1]) for numbered in enumerate(images_below(given)))
    looks = run_inference(built.model, built.heads[0], items, built.preprocessing, device, lambda: None)
    with closing(looks):
        for looked in looks:
            rows = {number: Row(path=str(path), problem=why) for (number, path), why in looked.unreadable}
            if looked.items:
                sure, best = (looked.logits / about.temperature).softmax(1).topk(top, 1)
                for (number, path), shares, classes in zip(looked.items, sure.tolist(), best.tolist(), strict=True):
                    named = [about.class_names[index] for index in classes]
                    rows[number] = Row(
                        path=str(path),
                        answer=named[0] if shares[0] >= threshold else DONT_KNOW,
                        probability=shares[0],
                        top=[{"class": n, "probability": s} for n, s in zip(named, shares, strict=True)],
                    )
            yield [rows[number] for number in sorted(rows)]


def _json(row: Row) -> None:
    write_json(row)


def _csv(top: int) -> Callable[[Row], None]:
    """Writes the header now, and rows when called. A program gets names as they are, a terminal as they are `visible`."""
    from ftgui.base.foreign_text import TableWriter, visible

    table = TableWriter(sys.stdout)
    shown: Callable[[str], str] = visible if sys.stdout.isatty() else str
    more = (
        [name for place in range(1, top + 1) for name in (f"class_{place}", f"probability_{place}")] if top > 1 else []
    )
    table.row(["path", "answer", "probability", "problem", *more])

    def put(row: Row) -> None:
        sure = row.get("probability", math.nan)
        said = [row["path"], row.get("answer", ""), "" if math.isnan(sure) else f"{sure:.4f}", row.get("problem", "")]
        if top > 1:
            for one in row.get("top", []):
                said += [one["class"], f"{one['probability']:.4f}"]
        table.row(shown(cell) for cell in said)

    return put
