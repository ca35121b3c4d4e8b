"""`ftgui train recipe.toml`: the same without a window."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftgui.data.project import read_result
from tests.conftest import Maker

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
    result = read_result(tmp_path / "runs" / "0001-head")
    assert result is not None and result["steps"] == 8


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process")
def test_ctrl_c_keeps_the_best_so_far(make_dataset: Maker, tmp_path: Path) -> None:
    make_dataset(count=10)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        RECIPE.format(epochs=500).replace("batch_size = 4", "batch_size = 4\nearly_stop = 0"), encoding="utf-8"
    )
    process = ftgui("train", recipe)
    best = tmp_path / "runs" / "0001-head" / "best" / "model.safetensors"
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
    make_dataset: Maker, tmp_path: Path, text, sentence
) -> None:
    make_dataset(count=3)
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    status, out, err = finish(ftgui("train", tmp_path / "recipe.toml"))
    assert status == 1 and sentence in out + err and "Traceback" not in err


def test_version_and_help() -> None:
    status, out, _ = finish(ftgui("--version"))
    assert (status, out.split()[0]) == (0, "ftgui")
    status, out, _ = finish(ftgui("--help"))
    assert status == 0 and "train" in out and "window" in out
