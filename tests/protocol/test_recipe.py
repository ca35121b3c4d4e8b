"""Recipes survive the file, and every contradiction is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RECIPE_VERSION, Augmentation, Backbone, Dataset, Phase, Recipe, RecipeError, Training


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    recipe = Recipe(
        seed=3,
        dataset=Dataset(folder=str(tmp_path / "写真 1")),
        backbone=Backbone(name="resnet18", weights=str(tmp_path / "w.pth")),
        phases=[Phase(name="Head", train=["head"], epochs=1, lr=1e-3)],
    )
    recipe_file.save(recipe, tmp_path / "recipe.toml")
    assert recipe_file.load(tmp_path / "recipe.toml") == recipe
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.toml"]


def test_every_problem_is_told_at_once() -> None:
    recipe = Recipe(
        phases=[
            Phase(name="A", train=[], epochs=0, lr=-1.0),
            Phase(name="B", train=["head"], epochs=1, lr=float("nan")),
        ],
        dataset=Dataset(val_fraction=1.0),
        training=Training(batch_size=0, warmup=1.0, label_smoothing=1.0, weight_decay=-1.0, early_stop=-1),
    )
    kinds = [problem.kind for problem in recipe.validate()]
    assert kinds == [
        "all-frozen",
        "epochs",
        "lr",
        "lr",
        "val-fraction",
        "batch-size",
        "warmup",
        "label-smoothing",
        "weight-decay",
        "early-stop",
    ]
    assert "nothing would learn: all layers are frozen" in recipe.validate()[0].message


def test_the_default_recipe_is_sound_and_a_wild_rate_is_warned_about() -> None:
    assert Recipe().validate() == []
    wild = Recipe(phases=[Phase(name="Head", train=["head"], epochs=1, lr=0.5)])
    assert [(p.severity, p.kind) for p in wild.validate()] == [("warning", "lr-high")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("phases = 3", "can't be read"),
        ("colour = 'red'", "unknown field `colour`"),
        ("version = 99\nnew_thing = 1", "version 99"),
        ("= nonsense", "not a recipe"),
    ],
)
def test_what_is_not_a_recipe_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=sentence):
        recipe_file.load(path)
    with pytest.raises(RecipeError, match="no recipe at"):
        recipe_file.load(tmp_path / "none.toml")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "recipe.toml"
    recipe_file.save(Recipe(seed=1), path)

    def full(_descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("ftgui.base.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        recipe_file.save(Recipe(seed=2), path)
    assert recipe_file.load(path).seed == 1
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.toml"]


@pytest.mark.parametrize("version", ["version = 5\n", "version = 2\n", ""])
def test_a_falloff_of_an_older_recipe_is_the_layer_decay(version: str) -> None:
    phases = "".join(
        f'[[phases]]\nname = "{name}"\ntrain = ["head"]\nepochs = 1\nlr = 0.1\n{more}'
        for name, more in {"A": "falloff = 0.5\n", "B": ""}.items()
    )
    recipe = recipe_file.loads(version + phases)
    assert [phase.layer_decay for phase in recipe.phases] == [0.5, 1.0]
    assert "layer_decay = 0.5" in recipe_file.dumps(recipe) and "falloff" not in recipe_file.dumps(recipe)
    with pytest.raises(RecipeError, match="falloff"):
        recipe_file.loads(f"version = {RECIPE_VERSION}\n" + phases)


def test_a_recipe_of_version_1_is_carried_over() -> None:
    assert recipe_file.loads("version = 1\n[training]\naugment = false\n").augmentation.preset == "none"
    assert recipe_file.loads("version = 1\n") == Recipe()


def test_problems_name_their_field() -> None:
    recipe = Recipe(
        phases=[
            Phase(name="A", train=["head"], epochs=1, lr=1e-3, enabled=False),
            Phase(name="B", train=["stage 7"], epochs=0, lr=0.05, layer_decay=2.0),
        ],
        training=Training(ema=1.0, balance="perhaps"),
        augmentation=Augmentation(preset="wild", views=-1),
    )
    assert [problem.field for problem in recipe.validate()] == [
        "phases.1.epochs",
        "phases.1.layer_decay",
        "phases.1.lr",
        "training.ema",
        "training.balance",
        "augmentation.preset",
        "augmentation.views",
    ]


def test_a_rate_is_checked_by_what_learns() -> None:
    def kinds(train: list[str], lr: float, weights: str = "pretrained") -> list[str]:
        phases = [Phase(name="A", train=train, epochs=1, lr=lr)]
        return [p.kind for p in Recipe(phases=phases, backbone=Backbone(weights=weights)).validate()]

    assert kinds(["head"], 1e-2) == []
    assert kinds(["everything"], 1e-2) == ["lr-high"]
    assert kinds(["everything"], 1e-2, weights="none") == []
    assert kinds(["head"], 1e-6) == ["lr-low"]


def test_phases_that_are_switched_off_are_not_active() -> None:
    off = Phase(name="A", train=["head"], epochs=1, lr=1e-3, enabled=False)
    assert Recipe(phases=[off]).active_phases == []
    assert [p.kind for p in Recipe(phases=[off]).validate()] == ["no-phase"]
