"""A model is taken away: what is written answers as the program does, and what doesn't is an error and not there."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.images.preprocessing import Preprocessing, center_view, decode
from ftgui.engine.export import exporter, onnx_and_torch, verification
from ftgui.engine.export.standalone_code import draws_source, pixels_source
from ftgui.engine.input_pipeline import augmentation
from ftgui.engine.input_pipeline import epoch_order as order
from ftgui.engine.model.loaded_model import open_finished
from ftgui.protocol import messages as m
from ftgui.protocol.lr_schedule import learning_rate
from ftgui.protocol.recipe import Backbone, Phase
from ftgui.runs.model_folder import read_about
from ftgui.runs.run_folders import catalog_beside
from tests.conftest import Maker, picture
from tests.engine.conftest import Engine

pytestmark = pytest.mark.slow

Trained = Callable[..., m.Train]


@pytest.fixture
def trained(engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]) -> Trained:
    """``trained(**recipe)``: the command of a run that is over."""

    def train(count: int = 12, **recipe) -> m.Train:
        phases = [Phase(name="All", train=["everything"], epochs=2, lr=3e-3)]
        command = train_command(make_dataset(count=count), **{"phases": phases, **recipe})
        end = engine.do(command)
        assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
        engine.events.clear()
        return command

    return train


def export(engine: Engine, folder: Path | str, to: Path, *kinds: str, **more) -> tuple[Path, list[m.Exported]]:
    """The new folder, and what was told of each kind."""
    end = engine.do(m.Export(9, str(folder), list(kinds), str(to), **more))
    assert isinstance(end, m.ExportFinished), end
    return Path(end.folder), engine.of(m.Exported)


def load(path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A file as a module, with its folder to import from and without ftgui."""
    monkeypatch.syspath_prepend(str(path.parent))
    for name in ("pixels", "draws"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "ftgui"]:
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that predicts is not run: importing torch once more takes seconds."""
    monkeypatch.setattr(verification, "prove_script", lambda *_: 0.0)


# --- everything at once ---------------------------------------------------------------------------------------------


def test_all_kinds_are_written_and_proved(engine: Engine, trained: Trained, tmp_path: Path) -> None:
    command = trained()
    folder, told = export(
        engine, command.run_folder, tmp_path / "out", "folder", "onnx", "torch", "script", threshold=0.6
    )
    assert [event.kind for event in told] == ["folder", "onnx", "torch", "script"]
    with CatalogReader(Path(command.catalog)) as catalog:
        validation = len(catalog.usable(["val"]))
    for event in told[:3]:
        assert event.problem == "" and set(event.differences) == {"1", "7", "predict.py"}
        assert max(event.differences.values()) < 1e-5
        assert (event.images, event.on) == (validation, "validation images")
    assert folder == tmp_path / "out" / f"pictures-{Path(command.run_folder).name}"
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "recipe.toml", "proof.json", "model.json", "pixels.py", "predict.py"),
        *("model.safetensors", "config.json", "ftgui.json", "model.onnx", "model.pt2"),
        *("train.py", "draws.py", "samples.csv"),
    }
    assert read_about(folder).threshold == 0.6
    proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    assert proof["images"] == validation and proof["allowed"] == 1e-3
    assert set(proof["largest_difference_in_probability"]["model.onnx"]) == {
        "batches of 1",
        "batches of 7",
        "predict.py",
    }
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "`python predict.py picture.jpg folder/`" in card and "below 60.0 % counts as “don't know”" in card
    assert [path.name for path in (tmp_path / "out").iterdir()] == [folder.name]  # no temporary folder stays
    again, _ = export(engine, command.run_folder, tmp_path / "out", "folder")
    assert again.name == f"{folder.name}-2"


def test_onnx_says_what_one_needs_to_know(no_process: None, engine: Engine, trained: Trained, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    command = trained()
    folder, _ = export(engine, command.run_folder, tmp_path, "onnx", threshold=0.5)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    given, said = session.get_inputs()[0], session.get_outputs()[0]
    assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(uint8)", [160, 160, 3])
    assert isinstance(given.shape[0], str) and (said.name, said.shape[1]) == ("probabilities", 2)
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["class_names"]) == ["blue", "red"] and json.loads(facts["threshold"]) == 0.5
    beside = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert (
        json.loads(facts["preprocessing"])
        == beside["preprocessing"]
        == read_about(Path(command.run_folder, "best")).preprocessing
    )
    # Against the model itself, on other images and another size of a batch than the proof's.
    built, about = open_finished(Path(command.run_folder, "best"))
    views = np.random.default_rng(3).integers(0, 256, (5, 160, 160, 3), np.uint8)
    model = onnx_and_torch.ExportWrapper(built.model, built.preprocessing, about.temperature)
    answers = model(torch.from_numpy(views)).detach().numpy()
    assert np.abs(session.run(None, {"images": views})[0] - answers).max() < 1e-5


# --- what does not answer as the program does -----------------------------------------------------------------------


def _wrong_temperature(self: onnx_and_torch.ExportWrapper, images: torch.Tensor) -> torch.Tensor:
    pixels = images.permute(0, 3, 1, 2).to(torch.float32)
    return (self.model((pixels - self.mean) / self.std) / (self.temperature * 3)).softmax(1)


def _wrong_channels(self: onnx_and_torch.ExportWrapper, images: torch.Tensor) -> torch.Tensor:
    pixels = images.flip(3).permute(0, 3, 1, 2).to(torch.float32)
    return (self.model((pixels - self.mean) / self.std) / self.temperature).softmax(1)


@pytest.mark.parametrize("wrong", [_wrong_temperature, _wrong_channels])
def test_a_model_that_answers_otherwise_is_an_error(
    no_process: None,
    engine: Engine,
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[..., torch.Tensor],
) -> None:
    command = trained()
    monkeypatch.setattr(onnx_and_torch.ExportWrapper, "forward", wrong)
    folder, told = export(engine, command.run_folder, tmp_path, "folder", "torch")
    assert told[0].problem == "" and "does not answer as ftgui does" in told[1].problem
    assert told[1].files == [] and not (folder / "model.pt2").exists() and (folder / "model.safetensors").exists()
    assert "model.pt2" not in (folder / "proof.json").read_text(encoding="utf-8")
    assert "model.pt2" not in (folder / "README.md").read_text(encoding="utf-8")


def test_a_script_that_answers_otherwise_is_an_error(
    engine: Engine, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = trained()
    right = exporter.predict_source()
    wrong = right.replace('/ MODEL["temperature"]', "/ 9")
    assert wrong != right
    monkeypatch.setattr(exporter, "predict_source", lambda: wrong)
    folder, told = export(engine, command.run_folder, tmp_path, "folder")
    assert "does not answer as ftgui does" in told[0].problem
    assert folder == Path() and list(tmp_path.glob("*test*")) == []


def test_no_extra_no_onnx_but_a_sentence(
    no_process: None, engine: Engine, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = trained()
    monkeypatch.setattr(onnx_and_torch, "_EXTRA", ("onnx", "no_such_package"))
    _, told = export(engine, command.run_folder, tmp_path, "onnx")
    assert "no_such_package" in told[0].problem and 'pip install "ftgui[export]"' in told[0].problem


# --- where it can't be done -----------------------------------------------------------------------------------------


def refusal(engine: Engine, folder: Path | str, to: Path, *kinds: str, **more) -> str:
    end = engine.do(m.Export(9, str(folder), list(kinds), str(to), **more))
    assert isinstance(end, m.CommandFailed) and end.request == 9, end
    return end.message


def test_refusals_are_sentences(no_process: None, engine: Engine, trained: Trained, tmp_path: Path) -> None:
    command = trained()
    best = Path(command.run_folder, "best")
    assert "does not exist" in refusal(engine, tmp_path / "nowhere", tmp_path, "folder")
    assert "no export format “coreml”" in refusal(engine, best, tmp_path, "coreml")
    assert "Nothing was chosen" in refusal(engine, best, tmp_path)
    assert "from 0 to 1" in refusal(engine, best, tmp_path, "folder", threshold=1.5)
    file = tmp_path / "file"
    file.write_text("in the way")
    assert "can be written" in refusal(engine, best, file / "below", "folder").replace("can't be", "can be")
    said = best / "ftgui.json"
    newer = json.loads(said.read_text(encoding="utf-8")) | {"format": 99}
    said.write_text(json.dumps(newer), encoding="utf-8")
    assert "newer ftgui" in refusal(engine, command.run_folder, tmp_path, "folder")
    said.write_text(json.dumps(newer | {"format": 1}), encoding="utf-8")
    (best / "model.safetensors").unlink()
    assert "model.safetensors is missing" in refusal(engine, command.run_folder, tmp_path, "folder")


def test_a_full_disk_leaves_nothing(
    no_process: None, engine: Engine, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = trained()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporter, "write_program", full)
    to = tmp_path / "out"
    assert "No space left on device" in refusal(engine, command.run_folder, to, "folder", "torch")
    assert list(to.iterdir()) == []


def test_stop_leaves_nothing(no_process: None, engine: Engine, trained: Trained, tmp_path: Path) -> None:
    command = trained()

    def stop(event: m.Event) -> None:
        if isinstance(event, m.Exported):
            engine.queue.append(m.CancelRequest(9))

    engine.on_event = stop
    end = engine.do(m.Export(9, command.run_folder, ["folder", "torch"], str(tmp_path / "out")))
    assert end == m.ExportFinished(9, "", stopped=True)
    assert list((tmp_path / "out").iterdir()) == []


def test_not_while_training(
    no_process: None, engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train], tmp_path: Path
) -> None:
    command = train_command(make_dataset())

    def ask(event: m.Event) -> None:
        if isinstance(event, m.PhaseStarted):
            engine.queue.append(m.Export(9, command.run_folder, ["folder"], str(tmp_path)))

    engine.on_event = ask
    engine.do(command)
    assert [event.message for event in engine.of(m.CommandFailed)] == ["Training is in progress; stop it first."]


def test_a_model_without_its_run_is_proved_on_noise(
    no_process: None, engine: Engine, trained: Trained, tmp_path: Path
) -> None:
    command = trained()
    first, _ = export(engine, command.run_folder, tmp_path / "a", "folder")
    engine.events.clear()
    again, told = export(engine, first, tmp_path / "b", "torch", "script")
    assert told[0].problem == "" and told[0].on.startswith("noise") and told[0].images == 8
    assert "Export it from its run" in told[1].problem
    assert json.loads((again / "proof.json").read_text(encoding="utf-8"))["compared_on"].startswith("noise")


def test_without_the_catalog_the_runs_own_list_is_taken(
    no_process: None, engine: Engine, trained: Trained, tmp_path: Path
) -> None:
    command = trained()
    Path(command.catalog).unlink()
    _, told = export(engine, command.run_folder, tmp_path, "folder")
    assert told[0].on == "validation images" and told[0].problem == ""


def test_torchvision_models_too(no_process: None, engine: Engine, trained: Trained, tmp_path: Path) -> None:
    command = trained(backbone=Backbone(name="torchvision/squeezenet1_1", weights="none"), batch_size=8)
    _, told = export(engine, command.run_folder, tmp_path, "folder", "torch")
    assert [event.problem for event in told] == ["", ""]


# --- the same pixels, the same draws --------------------------------------------------------------------------------


def awkward(folder: Path) -> list[Path]:
    """Images whose reading goes wrong easily."""
    folder.mkdir()
    plain = picture((200, 90, 30), 1, (300, 200))
    turned = Image.Exif()
    turned[0x0112] = 6
    alpha = plain.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(plain.size))
    deep = Image.fromarray((np.arange(240 * 300).reshape(240, 300) % 65536).astype(np.uint16))
    made: dict[str, tuple[Image.Image, dict]] = {
        "turned.jpg": (plain, {"exif": turned}),
        "big.jpg": (picture((20, 90, 30), 2, (1600, 1200)), {}),
        "palette.gif": (plain.quantize(16), {}),
        "alpha.png": (alpha, {}),
        "palette-alpha.png": (plain.quantize(8), {"transparency": 3}),
        "deep.png": (deep, {}),
        "cmyk.jpg": (plain.convert("CMYK"), {}),
        "grey.png": (plain.convert("L"), {}),
        "bits.png": (plain.convert("1"), {}),
        "tiny.png": (plain.resize((3, 2)), {}),
        "long.png": (plain.resize((1200, 40)), {}),
        "tall.webp": (plain.resize((40, 700)), {}),
    }
    for name, (image, how) in made.items():
        image.save(folder / name, **how)
    return [folder / name for name in made]


@pytest.mark.parametrize(("size", "resize"), [(160, 176), (224, 224), (224, 200)])
def test_exported_pixels_are_the_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, resize: int
) -> None:
    paths = awkward(tmp_path / "awkward")
    look = Preprocessing(size, resize, (0.5,) * 3, (0.5,) * 3, "bicubic")
    expected = [center_view(decode(path, look), size) for path in paths]
    (tmp_path / "pixels.py").write_text(pixels_source(), encoding="utf-8")
    pixels = load(tmp_path / "pixels.py", monkeypatch)
    look = pixels.Preprocessing(size, resize, (0.5,) * 3, (0.5,) * 3, "bicubic")
    for path, view in zip(paths, expected, strict=True):
        assert np.array_equal(pixels.center_view(pixels.decode(path, look), size), view), path.name
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(pixels.ImageError, match="not an image"):
        pixels.decode(tmp_path / "broken.jpg", look)


def test_exported_draws_are_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.asarray(picture((200, 90, 30), 1, (300, 200)))
    targets = [0, 0, 0, 1, 1, 2, 0, 1]

    def all_of(draw, apply, epoch_order, class_weights, rate) -> list:
        views = [apply(pixels, draw("strong", (300, 200), 5, 17, number), 64).tobytes() for number in range(4)]
        orders = [epoch_order(targets, 5, epoch, balanced) for epoch in (1, 2) for balanced in (False, True)]
        return [views, orders, class_weights(targets, 4).tolist(), [rate(0.1, step, 50, 0.1) for step in range(50)]]

    expected = all_of(augmentation.draw, augmentation.apply, order.epoch_order, order.class_weights, learning_rate)
    (tmp_path / "pixels.py").write_text(pixels_source(), encoding="utf-8")
    (tmp_path / "draws.py").write_text(draws_source(), encoding="utf-8")
    draws = load(tmp_path / "draws.py", monkeypatch)
    assert all_of(draws.draw, draws.apply, draws.epoch_order, draws.class_weights, draws.learning_rate) == expected


# --- the script that predicts ---------------------------------------------------------------------------------------


def predict(folder: Path, *arguments: object, without: str = "") -> subprocess.CompletedProcess[str]:
    """As somebody without ftgui would run it; `without` names packages that are not there."""
    blocked = [*without.split(), "ftgui"]
    program = (
        f"import runpy, sys\nfor name in {blocked}: sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(folder)!r})\nsys.argv[0] = 'predict.py'\n"
        f"runpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env=environment,
        cwd=folder.parent,
        check=False,
    )


def test_predict_script(engine: Engine, trained: Trained, tmp_path: Path) -> None:
    command = trained()
    folder, _ = export(engine, command.run_folder, tmp_path / "out", "folder", "onnx")
    pictures = tmp_path / "ask"
    pictures.mkdir()
    picture((200, 40, 40), 7).save(pictures / "a.png")
    picture((40, 60, 200), 8).save(pictures / "b.jpg")
    (pictures / "c.jpg").write_bytes(b"broken")
    (pictures / "notes.txt").write_text("not asked about")
    done = predict(folder, "--json", "--top", 2, pictures, without="torch timm")
    assert done.returncode == 1, done.stderr  # one can't be read
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(row["path"]).name for row in rows] == ["a.png", "b.jpg", "c.jpg"]
    assert "not an image" in rows[2]["problem"]
    for row in rows[:2]:
        answer = engine.do(m.Predict(1, row["path"]))
        assert isinstance(answer, m.Prediction)
        said = {one["class"]: one["probability"] for one in row["top"]}
        assert said == pytest.approx(dict(zip(answer.class_names, answer.probabilities, strict=True)), abs=1e-5)
        assert row["answer"] == max(said, key=said.__getitem__)
    unsure = predict(folder, "--threshold", 1.0, pictures / "a.png", without="torch timm")
    assert unsure.returncode == 0 and f"{pictures / 'a.png'}: don't know  (" in unsure.stdout
    assert "torch needs" not in unsure.stderr
    other = predict(folder, "--with", "folder", pictures / "a.png", without="timm")
    assert other.returncode == 1 and "model.safetensors needs timm" in other.stderr


# --- the card -------------------------------------------------------------------------------------------------------


def test_the_run_and_the_export_have_the_same_card(
    no_process: None, engine: Engine, trained: Trained, tmp_path: Path
) -> None:
    command = trained()
    run = Path(command.run_folder)
    folder, _ = export(engine, run, tmp_path / "out", "folder")
    own = (run / "best" / "README.md").read_text(encoding="utf-8")
    taken = (folder / "README.md").read_text(encoding="utf-8")
    start = taken.index("## Use")
    assert own[: own.index("## Use")] == taken[:start]
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))["evaluation"]
    assert f"Validation accuracy {result['accuracy'] * 100:.1f} %" in own and "95 % confidence interval" in own
    recall = [row[at] / sum(row) for at, row in enumerate(result["confusion"])]
    support = sum(result["confusion"][1])
    line = next(line for line in own.splitlines() if line.startswith("| red |"))
    assert f"{recall[1] * 100:.1f} %" in line and line.endswith(f" {support} |")
    assert "was proved to be the same before and after (hash `" in own and "Seed 0" in own and "| red | " in own
    assert "From the folder “pictures”. 24 images." in own and "so no licence for weights applies" in own


def test_proof_needs_images_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    look = Preprocessing(32, 32, (0.5,) * 3, (0.5,) * 3, "bilinear")
    picture((1, 2, 3), 1).save(tmp_path / "good.png")
    paths, views = verification._readable([tmp_path / "broken.jpg", tmp_path / "good.png", tmp_path / "gone.png"], look)
    assert paths == [tmp_path / "good.png"] and views[0].shape == (32, 32, 3)


def test_a_project_is_found_beside_its_run(engine: Engine, trained: Trained) -> None:
    command = trained()
    assert catalog_beside(Path(command.run_folder)) == Path(command.catalog)
    assert catalog_beside(Path(command.run_folder).parent) is None


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has a umask")
def test_everybody_may_read_what_the_umask_says(engine: Engine, trained: Trained, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        command = trained()
        folder, _ = export(engine, command.run_folder, tmp_path / "out", "folder", "torch", "script")
    finally:
        os.umask(before)
    made = [path for root in (Path(command.run_folder), folder) for path in [root, *root.rglob("*")]]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in made} == {
        path.name: "0o755" if path.is_dir() else "0o644" for path in made
    }
