"""What training costs, as ratios taken in one run: (a) the loop of PyTorch's transfer-learning tutorial, (b) the bare
cost of decoding each image once and one forward pass over each view, (c) ftgui's engine.

python tests/bench/bench_training.py [FOLDER] [--epochs 10]

EfficientNet-Lite0 with its ImageNet weights; hymenoptera if it is at hand, else the sample. Every measurement has a
process of its own. (a) and (b) are timed without imports and model building; (c) from the train command, sent to an
engine that has just said it is ready, to its last event: building the model, decoding and writing the run are in it.
Memory is the peak of the process with its children, shared pages counted once; it has runs of its own, because asking
the kernel which pages are shared doubles the time of who is asked.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from ftgui.runs.run_folders import new_run_folder

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(ROOT))
BATCH = 32
LAST_TWO = ("blocks.5", "blocks.6", "conv_head", "bn2", "classifier")
TICKS = {
    "head": (("classifier",), ["head"]),
    "last two": (LAST_TWO, ["stage 6", "stage 7", "neck", "head"]),
    "everything": (("",), ["everything"]),
}


# --- (a) ------------------------------------------------------------------------------------------------------------


def tutorial(folder: Path, ticks: str, epochs: int, memory_format: Any = None) -> tuple[float, float]:
    """PyTorch's "Transfer Learning for Computer Vision" loop, written out plainly.

    Args:
        memory_format: of the model and its input, PyTorch's default where it is None.

    Returns:
        seconds, and the best accuracy on the validation images.
    """
    import torch
    from torch import nn, optim
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    transform = {
        "train": transforms.Compose(
            [
                transforms.RandomResizedCrop(224),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                normalize,
            ]
        ),
        "val": transforms.Compose(
            [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), normalize]
        ),
    }
    data = {split: datasets.ImageFolder(str(folder / split), transform[split]) for split in ("train", "val")}
    loaders = {
        split: DataLoader(data[split], batch_size=BATCH, shuffle=split == "train", num_workers=2) for split in data
    }
    model = packaged_model(len(data["train"].classes))
    if memory_format is not None:
        model.to(memory_format=memory_format)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(name.startswith(prefix) for prefix in TICKS[ticks][0])
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.001, momentum=0.9)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    best_acc = 0.0
    started = time.monotonic()
    for _epoch in range(epochs):
        for phase in ("train", "val"):
            model.train(phase == "train")
            running_loss, running_corrects = 0.0, 0
            for inputs, labels in loaders[phase]:
                if memory_format is not None:
                    inputs = inputs.to(memory_format=memory_format)
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    _, preds = torch.max(outputs, 1)
                    loss = criterion(outputs, labels)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += int(torch.sum(preds == labels.data))
            if phase == "train":
                scheduler.step()
            else:
                best_acc = max(best_acc, running_corrects / len(data[phase]))
    return time.monotonic() - started, best_acc


def packaged_model(classes: int) -> Any:
    """EfficientNet-Lite0 with ImageNet weights and a new head, in PyTorch's default memory format."""
    import torch

    from ftgui.engine.model import backbones
    from ftgui.protocol.recipe import Backbone

    model = backbones.build(Backbone(), [str(number) for number in range(classes)], seed=0).model
    return model.to(memory_format=torch.contiguous_format)


# --- (b) ------------------------------------------------------------------------------------------------------------


def bare(folder: Path, views: int) -> float:
    """Decode each image once; one forward pass over each view."""
    import torch

    from ftgui.data.images.preprocessing import center_view, decode
    from ftgui.engine.malloc import keep_freed_memory
    from ftgui.engine.model.input_tensor import to_batch

    keep_freed_memory()
    model, preprocessing, paths = _model_and_paths(folder)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        pixels = list(pool.map(lambda path: decode(path, preprocessing), paths["train"] + paths["val"]))
    passes = [*(index for index in range(len(paths["train"])) for _ in range(views))]
    passes += range(len(paths["train"]), len(pixels))
    with torch.inference_mode():
        for start in range(0, len(passes), BATCH):
            chunk = [center_view(pixels[index], preprocessing.size) for index in passes[start : start + BATCH]]
            model(to_batch(chunk, preprocessing, torch.device("cpu")))
    return time.monotonic() - started


def _model_and_paths(folder: Path) -> tuple[Any, Any, dict[str, list[Path]]]:
    import torch
    from torchvision import datasets

    from ftgui.engine.model import backbones
    from ftgui.protocol.recipe import Backbone

    built = backbones.build(Backbone(), ["a", "b"], seed=0)
    model = built.model.eval().to(memory_format=torch.channels_last)
    paths = {
        split: [Path(name) for name, _ in datasets.ImageFolder(str(folder / split)).samples]
        for split in ("train", "val")
    }
    return model, built.preprocessing, paths


def decoding(folder: Path, processes: bool) -> float:
    """All images once, by two threads or two processes that send the pixels back."""
    from ftgui.data.images.preprocessing import decode

    _, preprocessing, paths = _model_and_paths(folder)
    with ProcessPoolExecutor(2) if processes else ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(decode, preprocessing=preprocessing), paths["train"][:4]))  # workers are up
        started = time.monotonic()
        list(pool.map(partial(decode, preprocessing=preprocessing), paths["train"] + paths["val"], chunksize=8))
        return time.monotonic() - started


# --- (c) ------------------------------------------------------------------------------------------------------------


def ftgui(folder: Path, ticks: str, epochs: int, augmentation: str, views: int, watch: bool) -> tuple[float, int]:
    """The engine as the window starts it. Returns seconds and its peak memory in bytes, 0 if it was not watched."""
    from ftgui.data.project import Project
    from ftgui.protocol import codec
    from ftgui.protocol import messages as m
    from ftgui.protocol.recipe import Augmentation, Phase, Recipe, Training

    with tempfile.TemporaryDirectory() as project_folder:
        project = Project(Path(project_folder))
        project.take_in(folder)
        recipe = Recipe(
            phases=[Phase(name="Bench", train=TICKS[ticks][1], epochs=epochs, lr=1e-3)],
            training=Training(batch_size=BATCH, early_stop=0),
            augmentation=Augmentation(preset=augmentation, views=views),
        )
        train = m.Train(1, recipe, str(project.catalog_path), str(new_run_folder(project, "bench")))
        engine = start_engine()
        assert engine.stdin is not None and engine.stdout is not None
        decoder = codec.event_decoder()
        started = 0.0
        with PeakMemory(engine.pid, watch) as memory:
            codec.write(engine.stdin, m.Hello())
            while True:
                for event in decoder.feed(engine.stdout.read1(1 << 16)):
                    if isinstance(event, m.Ready):
                        started = time.monotonic()
                        codec.write(engine.stdin, train)
                    elif isinstance(event, m.TrainingFinished):
                        seconds = time.monotonic() - started
                        assert event.reason == "done", event.message
                        engine.stdin.close()
                        engine.wait(30)
                        return seconds, memory.peak
                    elif isinstance(event, m.CommandFailed):
                        raise RuntimeError(event.message)


def start_engine() -> subprocess.Popen[bytes]:
    """As the window does."""
    return subprocess.Popen(
        [sys.executable, "-m", "ftgui", "--engine"],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


class PeakMemory:
    """Watches a process and its children, thirty times a second; does nothing where ``watch`` is false."""

    def __init__(self, pid: int, watch: bool = True) -> None:
        self.peak = 0
        self._watched = watch
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        if self._watched:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._watched:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.03):
            try:
                processes = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(_memory, processes)) if processes[1:] else _resident(self._process))
            except psutil.NoSuchProcess:
                continue


def _resident(process: psutil.Process) -> int:
    """Of a process that shares its pages with no other, and it costs next to nothing."""
    return int(process.memory_info().rss)


def _memory(process: psutil.Process) -> int:
    """Proportional where the system knows it (Linux), else resident. The kernel walks all pages for it."""
    info = process.memory_full_info()
    return int(getattr(info, "pss", info.rss))


# --- all of it ------------------------------------------------------------------------------------------------------


def measure(*job: str, watch: bool = False) -> tuple[float, int]:
    """Run one job in a process of its own; seconds and, where it is watched, peak memory."""
    with (
        subprocess.Popen(
            [sys.executable, __file__, "--job", *job, *(["--watch"] if watch else [])],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        PeakMemory(process.pid, watch and job[0] != "ftgui") as memory,
    ):
        output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{job} failed: {errors[-2000:]}")
    answer = json.loads(output.splitlines()[-1])
    return answer["seconds"], answer.get("memory") or memory.peak


def run_job(name: str, folder: Path, rest: list[str], watch: bool) -> dict[str, float]:
    """In the child process. (c) has its engine in a process of its own again, and watches that one."""
    if name == "tutorial":
        return {"seconds": tutorial(folder, rest[0], int(rest[1]))[0]}
    if name == "bare":
        return {"seconds": bare(folder, int(rest[0]))}
    if name == "decode":
        return {"seconds": decoding(folder, rest[0] == "processes")}
    seconds, memory = ftgui(folder, rest[0], int(rest[1]), rest[2], int(rest[3]), watch)
    return {"seconds": seconds, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--job", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--watch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help="c: leave (a) out, which takes most of the time")
    given = parser.parse_args()
    if given.job:
        print(json.dumps(run_job(given.job[0], Path(given.job[1]), given.job[2:], given.watch)))
        return
    folder = (given.folder or _default_folder()).resolve()
    where, epochs = str(folder), given.epochs
    print(f"{folder.name}, EfficientNet-Lite0, batch {BATCH}, {epochs} epochs; seconds\n", flush=True)
    slow = given.only != "c"

    def a(ticks: str, count: int, watch: bool = False) -> tuple[float, int]:
        return measure("tutorial", where, ticks, str(count), watch=watch) if slow else (math.nan, 0)

    def c(ticks: str, count: int, augmentation: str = "none", views: int = 1, watch: bool = False) -> tuple[float, int]:
        return measure("ftgui", where, ticks, str(count), augmentation, str(views), watch=watch)

    def line(what: str, ratio: float, goal: str, detail: str) -> None:
        """Without (a) there is no ratio to it: only the figures of (c) are printed then."""
        if math.isnan(ratio):
            print(f"{what:<46} {'':24} {detail.partition('  ')[2]}", flush=True)
            return
        print(f"{what:<46} {ratio:6.2f}x  {goal and f'(goal {goal})':<16} {detail}", flush=True)

    b1, _ = measure("bare", where, "1")
    c1, _ = c("head", epochs)
    a1, _ = a("head", epochs)
    line("head only, faster than (a)", a1 / c1, ">= 14", f"(a) {a1:.1f}  (c) {c1:.1f}")
    line("head only, against (b)", c1 / b1, "<= 1.25", f"(b) {b1:.1f}  (c) {c1:.1f}")
    b4, _ = measure("bare", where, "4")
    c4, _ = c("head", epochs, "standard", 4)
    line("head only, 4 views, against (b)", c4 / b4, "<= 1.25", f"(b) {b4:.1f}  (c) {c4:.1f}")
    c100, _ = c("head", epochs * 10)
    line(f"head only, {epochs * 10} epochs against {epochs}", c100 / c1, "<= 1.2", f"{c100:.1f}  {c1:.1f}")
    c2, _ = c("last two", epochs)
    a2, _ = a("last two", epochs)
    line("last two stages + head, faster than (a)", a2 / c2, ">= 4.5", f"(a) {a2:.1f}  (c) {c2:.1f}")
    # One epoch more than another: what starting costs drops out.
    short, _ = c("everything", 1, "standard", 0)
    long, _ = c("everything", 3, "standard", 0)
    c3 = (long - short) / 2
    a3, _ = a("everything", 2)
    line("everything, fresh views, an epoch", a3 / 2 / c3, ">= 2.5", f"(a) {a3 / 2:.1f}  (c) {c3:.1f}")
    _, c_memory = c("everything", 1, "standard", 0, watch=True)
    _, a_memory = a("everything", 1, watch=True)
    line(
        "its peak memory against (a)",
        c_memory / a_memory if slow else math.nan,
        "< 1",
        f"(a) {a_memory / 2**20:.0f} MB  (c) {c_memory / 2**20:.0f} MB",
    )
    threads, _ = measure("decode", where, "threads")
    processes, _ = measure("decode", where, "processes")
    line(
        "decoding: processes against threads",
        processes / threads,
        "",
        f"threads {threads:.1f}  processes {processes:.1f}",
    )


def _default_folder() -> Path:
    shared = ROOT.parent / "shared" / "data" / "hymenoptera"
    if shared.is_dir():
        return shared
    return _split_sample(Path(tempfile.mkdtemp(prefix="ftgui-bench-")))


def _split_sample(target: Path) -> Path:
    """The sample as ``train/`` and ``val/`` folders, as (a) needs it."""
    from ftgui.base.job import Job
    from ftgui.ui.project.sample_dataset import sample_folder

    for number, path in enumerate(sorted(sample_folder(Job()).rglob("*.png"))):
        copy = target / ("val" if number % 4 == 0 else "train") / path.parent.name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return target


if __name__ == "__main__":
    main()
