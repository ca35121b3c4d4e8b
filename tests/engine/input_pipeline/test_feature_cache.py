"""Cached features: kept, found again, made anew when anything they depend on changes, on disk where memory is short."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from ftgui.base.files import temporary_name
from ftgui.engine.input_pipeline import feature_cache
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone, Phase
from tests.conftest import Maker
from tests.engine.conftest import Engine

pytestmark = pytest.mark.slow

HEAD = [Phase(name="Head", train=["head"], epochs=4, lr=1e-2)]


def cached(engine: Engine) -> m.FrozenFeaturesCached:
    return engine.of(m.FrozenFeaturesCached)[-1]


def final(engine: Engine) -> torch.Tensor:
    assert engine.of(m.TrainingFinished)[-1].reason == "done"
    return engine.session.models.present.model.get_submodule("classifier").weight.detach().clone()


def test_the_window_is_told_what_is_cached(engine: Engine, make_dataset: Maker, train_command) -> None:
    engine.do(train_command(make_dataset(count=10), HEAD, views=3))
    event = cached(engine)
    assert (event.cached, event.views, event.on_disk, event.why) == (True, 3, False, "")
    assert event.bytes == (16 * 3 + 4) * 256 * 4, "3 views of 16 training images, 4 validation images, 256 floats each"


def test_no_more_views_than_epochs_and_one_without_augmentation(
    engine: Engine, make_dataset: Maker, train_command
) -> None:
    dataset = make_dataset(count=10)
    engine.do(train_command(dataset, [Phase(name="Head", train=["head"], epochs=2, lr=1e-2)], views=16))
    assert cached(engine).views == 2
    engine.do(train_command(dataset, HEAD, views=4, augmentation="none"))
    assert cached(engine).views == 1


def test_left_to_the_size_of_the_set_the_number_is_written_into_the_run(
    engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    """So that a run that is gone on with, or repeated, has as many whatever became of the set."""
    monkeypatch.setattr("ftgui.protocol.views.COMPUTED", 40)
    dataset = make_dataset(count=10)
    command = train_command(dataset, HEAD, views="auto")
    engine.do(command)
    assert cached(engine).views == 2, "40 views of 16 training images"
    assert recipe_file.load(Path(command.run_folder) / "recipe.toml").augmentation.views == 2
    by_hand = Engine()
    by_hand.do(train_command(dataset, HEAD, views=2))
    assert torch.equal(final(engine), final(by_hand))


def test_fresh_views_cache_nothing(engine: Engine, make_dataset: Maker, train_command) -> None:
    engine.do(train_command(make_dataset(count=10), HEAD, views=0))
    assert (cached(engine).cached, cached(engine).views) == (False, 0) and "fresh" in cached(engine).why


def test_everything_ticked_caches_nothing(engine: Engine, make_dataset: Maker, train_command) -> None:
    engine.do(train_command(make_dataset(count=10), [Phase(name="All", train=["everything"], epochs=1, lr=1e-4)]))
    assert (cached(engine).cached, cached(engine).why) == (False, "the first layer learns")


def test_as_many_views_as_epochs_train_like_fresh_ones(make_dataset: Maker, train_command) -> None:
    """The same views in the same order, computed before or during the epochs."""
    dataset, found = make_dataset(count=10), []
    for views in (4, 0):
        engine = Engine()
        engine.do(train_command(dataset, HEAD, views=views))
        assert cached(engine).cached == bool(views)
        found.append(final(engine))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)


def test_a_second_run_starts_from_the_kept_features(engine: Engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(count=10)
    engine.do(train_command(dataset, HEAD))
    first = final(engine)
    assert cached(engine).seconds > 0
    engine.events.clear()
    engine.do(train_command(dataset, HEAD))
    assert cached(engine).seconds == 0 and cached(engine).cached
    assert not [e for e in engine.of(m.Progress) if e.what == "reading images"]
    assert torch.equal(final(engine), first)


def change_a_file(dataset: Path) -> None:
    Image.new("RGB", (64, 64), "green").save(dataset / "red" / "red0.jpg")


@pytest.mark.parametrize(
    "change",
    ["file", "seed", "ticks", "views", "augmentation", "weights", "unreadable"],
)
def test_whatever_changes_they_are_made_anew(
    change: str, engine: Engine, make_dataset: Maker, train_command, tmp_path: Path
) -> None:
    dataset = make_dataset(count=10)
    engine.do(train_command(dataset, HEAD))
    other: dict = {"phases": HEAD}
    if change == "file":
        change_a_file(dataset)
    elif change == "unreadable":
        (dataset / "red" / "red0.jpg").write_bytes(b"broken")
    elif change == "ticks":
        other["phases"] = [Phase(name="Head", train=["last stage", "head"], epochs=4, lr=1e-2)]
    elif change == "weights":
        weights = tmp_path / "other.pth"
        model = engine.session.models.present.model
        state = {n: v.clone() for n, v in model.state_dict().items()}
        state["blocks.0.0.conv.weight" if "blocks.0.0.conv.weight" in state else "conv_stem.weight"] += 0.1
        torch.save(state, weights)
        other["backbone"] = Backbone(name="test_efficientnet", weights=str(weights))
    else:
        other[change] = {"seed": 1, "views": 3, "augmentation": "light"}[change]
    engine.do(train_command(dataset, **other))
    assert engine.of(m.TrainingFinished)[-1].reason == "done"
    assert cached(engine).seconds > 0, "made anew"


def test_what_does_not_fit_into_memory_is_mapped_from_disk(
    engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    dataset = make_dataset(count=10)
    engine.do(train_command(dataset, HEAD))
    in_memory = final(engine)
    other = Engine()
    monkeypatch.setattr(feature_cache, "MEMORY_SHARE", 0.0)
    other.do(train_command(dataset, HEAD))
    assert (cached(other).cached, cached(other).on_disk) == (True, True)
    assert torch.equal(final(other), in_memory)
    other.session.close()
    left = [path for path in (feature_cache.cache_dir() / "prefix").rglob("*") if path.is_file()]
    assert not left


def test_where_there_is_no_room_at_all_it_trains_without(
    engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    monkeypatch.setattr(feature_cache, "MEMORY_SHARE", 0.0)
    monkeypatch.setattr(feature_cache, "DISK_SHARE", 0.0)
    engine.do(train_command(make_dataset(count=10), HEAD))
    assert not cached(engine).cached and "more than there is room for" in cached(engine).why
    assert engine.of(m.TrainingFinished)[0].reason == "done"


def test_what_killed_engines_left_behind_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    base = feature_cache.cache_dir() / "prefix"
    alive = temporary_name(base / "scratch")
    dead = alive.with_name(alive.name.replace(f"-{os.getpid()}-", "-999999999-"))
    for folder in (dead, alive):
        folder.mkdir(parents=True)
        (folder / "mapped").write_bytes(b"0")
    monkeypatch.setattr(feature_cache, "MEMORY_SHARE", 0.0)
    store = FeatureStore()
    room = store.make(4, [(2, 3, 5), (7,)], [torch.float32, torch.float32], torch.device("cpu"))
    assert room is not None and room.on_disk and not dead.exists() and alive.exists()
    shutil.rmtree(alive)
    store.close()


def test_rows_come_back_as_they_were_put() -> None:
    store = FeatureStore()
    room = store.make(6, [(2, 3, 5), (7,)], [torch.float32, torch.float32], torch.device("cpu"))
    maps, vectors = torch.randn(6, 2, 3, 5), torch.randn(6, 7)
    room.put(0, [maps[:4], vectors[:4]])
    room.put(4, [maps[4:], vectors[4:]])
    rows = torch.tensor([5, 0, 0, 3])
    found = room.rows(rows, torch.device("cpu"))
    assert torch.equal(found[0], maps[rows]) and torch.equal(found[1], vectors[rows])
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    assert room.bytes == 6 * (30 + 7) * 4


def test_only_the_latest_sets_are_kept() -> None:
    store = FeatureStore()
    made = [store.make(1, [(1,)], [torch.float32], torch.device("cpu")) for _ in range(3)]
    for number, room in enumerate(made):
        store.keep(str(number), room)
    assert [store.find(str(number)) is not None for number in range(3)] == [False, True, True]
