"""`ftgui train recipe.toml`: the same without a window."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from ftgui.cli import main
from ftgui.data.project import Project
from ftgui.protocol import codec, recipe_file
from ftgui.protocol import messages as m
from ftgui.runs.run_folders import new_run_folder, open_run, read_result
from tests.conftest import Maker

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
[dataset]
folder = "pictures"
[backbone]
name = "test_efficientnet"
weights = "none"
[training]
batch_size = 4
[[phases]]
name = "Head"
train = ["head"]
epochs = {epochs}
lr = 0.01
"""


def ftgui(*arguments: object, **more) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ftgui", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHONIOENCODING="utf-8"),
        **more,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_train(make_dataset: Maker, tmp_path: Path) -> None:
    make_dataset(count=10)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(epochs=2), encoding="utf-8")
    status, out, err = finish(ftgui("train", recipe, "--device", "cpu"))
    assert status == 0, err
    assert "2 classes, 20 images" in out and "epoch 2 of 2: train loss" in out
    assert "frozen layers unchanged" in out and "Training is done." in out
    result = read_result(tmp_path / "runs" / "0001-scratch-head")
    assert result is not None and result["steps"] == 8


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process")
def test_ctrl_c_keeps_the_best_so_far(make_dataset: Maker, tmp_path: Path) -> None:
    make_dataset(count=10)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        RECIPE.format(epochs=500).replace("batch_size = 4", "batch_size = 4\nearly_stop = 0"), encoding="utf-8"
    )
    process = ftgui("train", recipe)
    best = tmp_path / "runs" / "0001-scratch-head" / "best" / "model.safetensors"
    deadline = time.monotonic() + 60
    while not best.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert status == 130, err
    assert "Stopped; the best weights so far are kept." in out and "stopping after this step" in err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour = 1", "unknown field `colour`"),
        ('[dataset]\nfolder = "nowhere"', "“nowhere” is no longer there"),
        ('[dataset]\nfolder = "pictures"\n[[phases]]\nname="x"\ntrain=[]\nepochs=1\nlr=0.1', "all layers are frozen"),
        ('[dataset]\nfolder = "pictures"\n[backbone]\nname = "resnet-9999"', "no model called “resnet-9999”"),
    ],
)
def test_what_can_not_be_trained_is_a_sentence_and_status_1(
    make_dataset: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str], text, sentence
) -> None:
    make_dataset(count=3)
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    assert main.main(["train", str(tmp_path / "recipe.toml")]) == 1
    out, err = capsys.readouterr()
    assert sentence in out + err and "Traceback" not in err


def test_version_and_help() -> None:
    status, out, _ = finish(ftgui("--version"))
    assert (status, out.split()[0]) == (0, "ftgui")
    status, out, _ = finish(ftgui("--help"))
    assert status == 0 and "train" in out and "window" in out


def metrics(run: Path) -> list[dict]:
    """What happened, without when."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [{key: value for key, value in line.items() if key not in ("time", "seconds")} for line in lines]


def engine_of_the_window(*commands: m.Command) -> tuple[subprocess.Popen[bytes], codec.Decoder[m.Event]]:
    """The engine as the window starts it."""
    engine = subprocess.Popen(
        [sys.executable, "-m", "ftgui", "--engine"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert engine.stdin is not None
    for command in (m.Hello(), *commands):
        codec.write(engine.stdin, command)
    return engine, codec.event_decoder()


def until(engine: subprocess.Popen[bytes], decoder: codec.Decoder[m.Event], wanted) -> m.Event:
    assert engine.stdout is not None
    while data := engine.stdout.read1(1 << 16):
        for event in decoder.feed(data):
            if wanted(event):
                return event
    raise AssertionError("the engine ended first")


def close(engine: subprocess.Popen[bytes]) -> None:
    assert engine.stdin is not None and engine.stdout is not None
    if not engine.stdin.closed:
        engine.stdin.close()
    engine.wait(30)
    engine.stdout.close()


def test_the_same_recipe_and_seed_give_the_same_metrics_as_the_window(make_dataset: Maker, tmp_path: Path) -> None:
    dataset = make_dataset(count=10)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(epochs=3), encoding="utf-8")
    status, _, err = finish(ftgui("train", path, "--device", "cpu"))
    assert status == 0, err
    project = Project.for_dataset(dataset)
    project.take_in(dataset)
    recipe = msgspec.structs.replace(recipe_file.load(path), device="cpu")
    run = new_run_folder(project, "window")
    engine, decoder = engine_of_the_window(m.Train(1, recipe, str(project.catalog_path), str(run)))
    try:
        until(engine, decoder, lambda event: isinstance(event, m.TrainingFinished))
    finally:
        close(engine)
    without_a_window = metrics(tmp_path / "runs" / "0001-scratch-head")
    assert metrics(run) == without_a_window
    assert [line["kind"] for line in without_a_window].count("step") == 12


def test_an_engine_killed_with_kill_9_goes_on_from_its_checkpoint(make_dataset: Maker, tmp_path: Path) -> None:
    """Real processes: the weights in the end are those of a run nobody disturbed, bit for bit."""
    dataset = make_dataset(count=10)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(epochs=40), encoding="utf-8")
    recipe = msgspec.structs.replace(recipe_file.load(path), device="cpu")
    project = Project.for_dataset(dataset)
    project.take_in(dataset)
    weights = []
    for kill in (False, True):
        run = new_run_folder(project, "kill" if kill else "whole")
        engine, decoder = engine_of_the_window(m.Train(1, recipe, str(project.catalog_path), str(run)))
        try:
            if kill:
                until(engine, decoder, lambda event: isinstance(event, m.EpochFinished) and event.epoch >= 7)
                engine.kill()
                close(engine)
                found = open_run(project)
                assert found is not None and found.folder == run and found.crashed
                engine, decoder = engine_of_the_window(m.Continue(1, str(project.catalog_path), str(run)))
            end = until(engine, decoder, lambda event: isinstance(event, m.TrainingFinished))
            assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
        finally:
            close(engine)
        weights.append([(run / kind / "model.safetensors").read_bytes() for kind in ("best", "last")])
    assert weights[0] == weights[1]
