"""Whether every architecture of timm and torchvision goes through the engine: at its smallest variant and from scratch it
is built with its layer tree, cost_estimated, trained for one step of everything and, if wished, taken away. Each in a process of
its own, which may die, hang or take too much memory.

python tests/bench/bench_architectures.py [WORDS …] [--export] [--seconds N] [--gigabytes N] [--result FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil

from ftgui.data import model_zoo
from ftgui.data.model_zoo import KnownModel
from ftgui.runs.run_folders import new_run_folder

STEPS = ("build", "cost", "train", "export")


def families() -> list[KnownModel]:
    """The smallest known variant of each architecture: of each module of the libraries and each word names begin with, the
    smallest first."""
    import timm
    import torchvision

    names = [(module, name) for module in timm.list_modules() for name in timm.list_models(module=module)]
    names += [("torchvision", f"torchvision/{name}") for name in torchvision.models.list_models(torchvision.models)]
    smallest: dict[tuple[str, str], KnownModel] = {}
    for module, name in names:
        word = re.match("[a-z]*", name.removeprefix("torchvision/"))
        known = model_zoo.find(name)
        assert word is not None and known is not None, name
        before = smallest.setdefault((module, word[0]), known)
        # What a model costs grows with both; some of few parameters look at very large images.
        if known.parameters * known.input**2 < before.parameters * before.input**2:
            smallest[module, word[0]] = known
    return sorted(smallest.values(), key=lambda model: model.parameters * model.input**2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only models whose names hold one of these")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--export", action="store_true", help="also as a torch program, ONNX and a script")
    parser.add_argument("--seconds", type=float, default=180.0, help="for one model (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="for one model (default: %(default)s)")
    parser.add_argument("--result", type=Path, help="a line of JSON for each model; those in it already are left out")
    options = parser.parse_args()
    if options.one:
        go_through(options.one, options.export)
        return
    done: dict[str, str] = {}
    if options.result and options.result.is_file():
        lines = options.result.read_text(encoding="utf-8").splitlines()
        done = {row["name"]: row["problem"] for row in map(json.loads, lines)}
    models = families()
    for number, model in enumerate(models):
        if model.name in done or (options.words and not any(word in model.name for word in options.words)):
            continue
        problem, seconds, peak = watched(model.name, options)
        done[model.name] = problem
        print(
            f"{number + 1:3} of {len(models)}  {model.name:<44} {seconds:5.0f} s {peak:5.1f} GB  {problem}", flush=True
        )
        if options.result:
            with options.result.open("a", encoding="utf-8") as file:
                file.write(
                    json.dumps({"name": model.name, "problem": problem, "seconds": seconds, "peak": peak}) + "\n"
                )
    failed = {name: problem for name, problem in done.items() if problem}
    print(f"\n{len(done)} of {len(models)} tried, {len(failed)} failed")
    for name, problem in failed.items():
        print(f"{name}: {problem}")


def watched(name: str, options: argparse.Namespace) -> tuple[str, float, float]:
    """One model in a process of its own: what went wrong (empty: nothing), seconds, and gigabytes at most."""
    command = [sys.executable, __file__, "--one", name, *(["--export"] if options.export else [])]
    began, peak, ended = time.monotonic(), 0.0, ""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None and not ended:
            time.sleep(0.1)
            try:
                peak = max(peak, psutil.Process(process.pid).memory_info().rss / 2**30)
            except psutil.Error:
                continue  # it has just ended
            if time.monotonic() - began > options.seconds:
                ended = f"took more than {options.seconds:.0f} s"
            elif peak > options.gigabytes:
                ended = f"took more than {options.gigabytes:g} GB"
        process.kill()
        status = process.wait()
        said.seek(0)
        lines = said.read().splitlines()
    passed = [line.removeprefix("passed ") for line in lines if line.startswith("passed ")]
    at = next((step for step in STEPS if step not in passed), "")
    if not ended and status:
        ended = f"ended with status {status}: {lines[-1] if lines else ''}"
    return f"{at}: {ended}" if ended else "", time.monotonic() - began, peak


def go_through(name: str, export: bool) -> None:
    """In the process of its own; says what is passed."""
    from ftgui.data.project import Project
    from ftgui.engine.session import Session
    from ftgui.protocol import messages as m
    from ftgui.protocol.recipe import FROM_SCRATCH, Augmentation, Backbone, Dataset, Phase, Recipe, Training
    from tests.conftest import picture

    events: list[m.Event] = []
    session = Session(events.append)

    def do(step: str, command: m.Command, answer: type[m.Event]) -> m.Event:
        session.handle(command)
        found = [event for event in events if isinstance(event, answer)]
        failed = [event.message for event in events if isinstance(event, m.CommandFailed)]
        if failed or not found:
            sys.exit(" ".join(failed) or f"no {answer.__name__}")
        if isinstance(found[-1], m.TrainingFinished) and found[-1].reason != "done":
            sys.exit(f"the training ended as {found[-1].reason}: {found[-1].message}")
        problems = [
            f"{event.kind}: {event.problem}" for event in events if isinstance(event, m.Exported) and event.problem
        ]
        if problems:
            sys.exit(" ".join(problems))
        print(f"passed {step}", flush=True)
        return found[-1]

    with tempfile.TemporaryDirectory() as where:
        images = Path(where, "images")
        for color, shade in (("red", (200, 40, 40)), ("blue", (40, 60, 200))):
            for split, count in (("train", 2), ("val", 1)):
                folder = images / split / color
                folder.mkdir(parents=True)
                for number in range(count):
                    picture(shade, number).save(folder / f"{number}.png")
        Path(where, "project").mkdir()
        project = Project(Path(where, "project"))
        project.take_in(images)
        recipe = Recipe(
            device="cpu",
            dataset=Dataset(folder=str(images)),
            backbone=Backbone(name=name, weights=FROM_SCRATCH),
            phases=[Phase(name="Everything", train=["everything"], epochs=1, lr=1e-7)],
            augmentation=Augmentation(views=1),
            training=Training(batch_size=4, early_stop=0),
        )
        loaded = do("build", m.LoadModel(1, recipe.backbone, ["blue", "red"], ["head"], device="cpu"), m.ModelLoaded)
        assert isinstance(loaded, m.ModelLoaded)
        if not {row.label for row in loaded.layers} >= {"head"}:
            sys.exit(f"the tree has no head: {[row.label for row in loaded.layers if row.parent < 0]}")
        do("cost", m.EstimateCost(2, ["everything"], recipe, 4, 2), m.CostEstimate)
        run = new_run_folder(project, "bench")
        do("train", m.Train(3, recipe, str(project.catalog_path), str(run)), m.TrainingFinished)
        if export:
            do("export", m.Export(4, str(run), ["onnx", "torch", "script"], where), m.ExportFinished)


if __name__ == "__main__":
    main()
