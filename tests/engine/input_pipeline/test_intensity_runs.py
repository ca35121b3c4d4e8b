"""The intensity range of a training goes with its model: into the run, the folder, the export, and every later question."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from timm.data import create_transform

from ftgui.data.images.preprocessing import Preprocessing, center_view, decode, seen_area
from ftgui.data.project import Project
from ftgui.engine.export.standalone_code import pixels_source
from ftgui.engine.input_pipeline import image_cache
from ftgui.engine.model import backbones
from ftgui.engine.model.backbones import build
from ftgui.engine.model.input_tensor import from_timm, to_batch
from ftgui.engine.model.loaded_model import open_finished
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone, Phase
from ftgui.runs.model_folder import DESCRIPTION_FILE, read_about
from tests.conftest import Maker, picture
from tests.deep_images import halves, make_microscopy
from tests.engine.conftest import Engine

Train = Callable[..., m.Train]
SHORT = [Phase(name="Head", train=["head"], epochs=1, lr=1e-2)]


def with_intensity(command: m.Train, intensity: object) -> m.Train:
    dataset = msgspec.structs.replace(command.recipe.dataset, intensity=intensity)
    return msgspec.structs.replace(command, recipe=msgspec.structs.replace(command.recipe, dataset=dataset))


def test_a_run_names_the_range_it_found_and_its_model_keeps_it(
    engine: Engine, train_command: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_microscopy(tmp_path / "cells")
    looks: list[Preprocessing] = []
    read = image_cache.decode
    monkeypatch.setattr(image_cache, "decode", lambda path, look: (looks.append(look), read(path, look))[1])
    command = train_command(root, phases=SHORT, augmentation="none")
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "done"
    run = Path(command.run_folder)
    assert {look.intensity for look in looks} == {(0, 4095)}
    assert recipe_file.load(run / "recipe.toml").dataset.intensity == (0, 4095)
    about = read_about(run / "best")
    assert about.preprocessing["intensity"] == [0, 4095]
    built, _ = open_finished(run / "best")
    assert built.preprocessing.intensity == (0, 4095)
    assert "intensity range 0 to 4,095" in (run / "best" / "README.md").read_text(encoding="utf-8")

    # A later picture that holds small values only is as dark for the model as its like were in training.
    dim = tmp_path / "dim.tif"
    Image.fromarray(halves(400, 200)).save(dim)
    view = center_view(decode(dim, built.preprocessing), built.preprocessing.size)
    expected = built.model(to_batch([view], built.preprocessing, torch.device("cpu"))).softmax(1)[0]
    assert view.max() < 30
    said = engine.do(m.Predict(7, str(dim)))
    assert isinstance(said, m.Prediction)
    loaded = engine.session.models.present
    assert loaded is not None and loaded.built.preprocessing == built.preprocessing
    assert said.probabilities == pytest.approx((expected.log() / loaded.temperature).softmax(0).tolist(), abs=1e-4)


def test_a_range_set_by_hand_and_the_full_range(engine: Engine, train_command: Train, tmp_path: Path) -> None:
    root = make_microscopy(tmp_path / "cells", count=4)
    for given, kept in (((100.0, 3000.0), [100, 3000]), ("full", None)):
        command = with_intensity(train_command(root, phases=SHORT, augmentation="none"), given)
        end = engine.do(command)
        assert isinstance(end, m.TrainingFinished)
        about = read_about(Path(command.run_folder) / "best")
        assert about.preprocessing["intensity"] == kept
        loaded = recipe_file.load(Path(command.run_folder) / "recipe.toml")
        assert loaded.dataset.intensity == given


def test_a_set_of_eight_bits_has_no_range(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    command = train_command(make_dataset(), phases=SHORT, augmentation="none")
    engine.do(command)
    run = Path(command.run_folder)
    assert recipe_file.load(run / "recipe.toml").dataset.intensity == "auto"
    assert read_about(run / "best").preprocessing["intensity"] is None


def test_a_model_of_before_answers_as_it_did(engine: Engine, train_command: Train, tmp_path: Path) -> None:
    root = make_microscopy(tmp_path / "cells", count=4)
    command = with_intensity(train_command(root, phases=SHORT, augmentation="none"), "full")
    engine.do(command)
    best = Path(command.run_folder) / "best"
    plain = json.loads((best / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    for name in ("intensity", "crop_mode"):  # as its ftgui.json was written
        del plain["preprocessing"][name]
    plain["preprocessing"]["mean"] = [0.1, 0.2, 0.3]
    (best / DESCRIPTION_FILE).write_text(json.dumps(plain), encoding="utf-8")
    built, _ = open_finished(best)
    assert built.preprocessing.intensity is None and built.preprocessing.mean == (0.1, 0.2, 0.3)
    pixels = decode(root / "fine" / "0.tif", built.preprocessing)
    assert pixels.max() <= 20, "value / 257, and what bicubic adds"

    project = Project.for_dataset(root)
    engine.do(m.LoadModel(3, command.recipe.backbone, ["coarse", "fine"], ["head"], "cpu", 0, str(best), [], (0, 4095)))
    loaded = engine.session.models.present
    assert loaded is not None and loaded.trained and loaded.built.preprocessing == built.preprocessing
    assert project.catalog_path.exists()


def test_a_run_goes_on_with_the_range_it_began_with(
    engine: Engine, train_command: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_microscopy(tmp_path / "cells", count=4)
    phases = [Phase(name="Head", train=["head"], epochs=3, lr=1e-2)]
    command = train_command(root, phases=phases, augmentation="none")

    def stop(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished):
            engine.queue.append(m.CancelRequest(1))

    engine.on_event = stop
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "stopped"
    engine.on_event = lambda event: None
    # A brighter picture has come: the set would want another range now.
    Image.fromarray(halves(60000, 100)).save(root / "fine" / "bright.tif")
    looks: list[Preprocessing] = []
    read = image_cache.decode
    monkeypatch.setattr(image_cache, "decode", lambda path, look: (looks.append(look), read(path, look))[1])
    later = Engine()  # with nothing in memory
    end = later.do(m.Continue(2, command.catalog, command.run_folder))
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", later.events[-3:]
    assert {look.intensity for look in looks} == {(0, 4095)}


def test_the_learning_rate_test_and_the_views_are_of_the_range(
    engine: Engine, train_command: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_microscopy(tmp_path / "cells", count=8)
    command = train_command(root, phases=SHORT, augmentation="none")
    engine.do(m.LoadModel(1, command.recipe.backbone, ["coarse", "fine"], ["head"], "cpu"))
    looks: list[Preprocessing] = []
    read = image_cache.decode
    monkeypatch.setattr(image_cache, "decode", lambda path, look: (looks.append(look), read(path, look))[1])
    engine.do(m.FindLearningRate(2, command.recipe, command.catalog, 0))
    assert {look.intensity for look in looks} == {(0, 4095)}
    bright = []
    for intensity in (None, (0.0, 4095.0)):
        engine.do(m.PreviewAugmentation(4, str(root / "fine" / "1.tif"), command.recipe.augmentation, 1, intensity))
        with Image.open(io.BytesIO(engine.of(m.AugmentedViews)[-1].images[0])) as view:
            bright.append(np.asarray(view).mean())
    assert bright[0] < 10 < bright[1]


def test_the_exported_reader_is_the_programs(tmp_path: Path) -> None:
    root = make_microscopy(tmp_path / "cells", count=2)
    (tmp_path / "pixels.py").write_text(pixels_source(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("pixels_of_an_export", tmp_path / "pixels.py")
    assert spec is not None and spec.loader is not None
    exported = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = exported  # dataclasses look their module up
    try:
        spec.loader.exec_module(exported)
        for mode in ("center", "squash", "border"):
            look = Preprocessing(64, 72, (0.5,) * 3, (0.5,) * 3, "bicubic", mode, (0, 4095))
            other = exported.Preprocessing.from_dict(json.loads(json.dumps(look.as_dict())))
            for file in (root / "fine" / "0.tif", root / "coarse" / "1.tif"):
                assert np.array_equal(exported.decode(file, other), decode(file, look))
    finally:
        del sys.modules[spec.name]


# --- how a backbone wants its pixels --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(300, 200), (90, 140), (128, 128), (64, 300)])
@pytest.mark.parametrize("crop", [0.875, 1.0])
def test_pixels_are_those_of_timm(mode: str, size: tuple[int, int], crop: float) -> None:
    image = picture((180, 90, 40), 3, size)
    config = {"input_size": (3, 96, 96), "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4), "interpolation": "bicubic"}
    config |= {"crop_pct": crop, "crop_mode": mode}
    preprocessing = from_timm(config)
    theirs = create_transform(**config)(image)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    view = center_view(decode(stream.getvalue(), preprocessing), preprocessing.size)
    ours = to_batch([view], preprocessing, torch.device("cpu"))[0]
    if mode == "center" and max(size) > 4 * min(size):
        pytest.skip("the ends of a strip are cut off before")
    assert torch.equal(ours.round(decimals=4), theirs.round(decimals=4)) or (ours - theirs).abs().max() < 0.03


def test_what_is_seen_of_a_picture_is_where_the_crop_mode_takes_it() -> None:
    look = Preprocessing(90, 100, (0.5,) * 3, (0.5,) * 3, "bicubic", "squash")
    assert seen_area(400, 200, look) == pytest.approx((0.05, 0.05, 0.95, 0.95))
    look = Preprocessing(100, 100, (0.5,) * 3, (0.5,) * 3, "bicubic", "border")
    assert seen_area(400, 200, look) == pytest.approx((0, -0.5, 1, 1.5))


def test_timms_models_say_their_crop_mode() -> None:
    squashed = [name for name in timm.list_pretrained() if timm.get_pretrained_cfg(name).crop_mode == "squash"]
    assert squashed
    config = timm.get_pretrained_cfg(squashed[0]).to_dict()
    assert from_timm(config).crop_mode == "squash"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_torchvisions_inceptions_see_what_their_weights_were_made_of(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision builds them with ``transform_input`` as soon as there are weights."""
    torch.manual_seed(0)
    weights = torchvision.models.get_model_weights(name).DEFAULT
    state = torchvision.models.get_model(name, init_weights=False).state_dict()
    monkeypatch.setattr(type(weights), "get_state_dict", lambda *_a, **_n: dict(state))
    monkeypatch.setattr(backbones.Downloader, "checkpoint", lambda *_: Path("there"))
    monkeypatch.setattr(backbones, "read_weights", lambda _path: dict(state))
    theirs = torchvision.models.get_model(name, weights=weights).eval()
    ours = build(Backbone(name=f"torchvision/{name}", weights="pretrained"), [])
    assert theirs.transform_input
    image = picture((180, 90, 40), 3, (400, 400))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    view = center_view(decode(stream.getvalue(), ours.preprocessing), ours.preprocessing.size)
    batch = to_batch([view], ours.preprocessing, torch.device("cpu"))
    transform = weights.transforms()
    plain = (torch.from_numpy(view.copy()).permute(2, 0, 1).float() / 255)[None]
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (transform.mean, transform.std))
    seen = theirs._transform_input((plain - mean) / std)
    assert (seen - batch).abs().max() < 1e-5
    with torch.inference_mode():
        assert torch.allclose(ours.model(batch), theirs((plain - mean) / std), atol=1e-4)
