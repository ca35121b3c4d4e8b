"""Recipes as people write them, and as nobody should: a recipe or a sentence, never anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftgui.protocol import codec, recipe_file
from ftgui.protocol import messages as m
from ftgui.protocol import recipe as recipes
from ftgui.protocol.recipe import Recipe, RecipeError


def test_the_mark_of_notepad_is_read_over(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(b'\xef\xbb\xbf[dataset]\r\nfolder = "photos"\r\n')
    assert recipe_file.load(tmp_path / "recipe.toml").dataset.folder == str(tmp_path / "photos")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[dataset]\nfolder = "C:\\Users\\anna"', r"Write \"C:/Users/anna\", or put .* 'C:\\Users\\anna'"),
        (
            '[dataset]\nfolder = "D:\\bilder\\test"',
            r"between double quotes, .* starts an escape sequence .* \"D:/bilder/test\"",
        ),
        ('[backbone]\nweights = "\\server\\x.pth"', "This is not a recipe"),
        ('[dataset]\nfolder = "~nobody_here/photos"', "~nobody_here stands for the home folder of a user"),
        ("seed = 99999999999999999999", "seed is 99999999999999999999, which is too large"),
        ("[training]\nearly_stop = -99999999999999999999", "training.early_stop is -99999999999999999999"),
        ('version = "4"', "version is a number, 6 without quotes"),
        ("version = 1\ntraining = 5", "can't be read"),
        ("version = [1]", "has version"),
        ('[dataset]\nfolder = "a\\u0000b"', "dataset.folder contains a zero byte"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply|not a recipe"),
        ("phases = 3", "can't be read"),
    ],
)
def test_what_can_not_be_meant_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=sentence):
        recipe_file.load(tmp_path / "recipe.toml")


def test_windows_paths_that_say_what_they_mean_are_taken() -> None:
    for written in ("'C:\\Users\\anna'", '"C:\\\\Users\\\\anna"'):
        assert recipe_file.loads(f"[dataset]\nfolder = {written}").dataset.folder == "C:\\Users\\anna"
    odd = Recipe(dataset=recipes.Dataset(folder="C:\\Users\\tab\there"))
    assert recipe_file.loads(recipe_file.dumps(odd)) == odd


def test_a_rate_beyond_all_numbers_is_a_problem_of_its_field() -> None:
    recipe = recipe_file.loads('[[phases]]\nname = "Head"\ntrain = ["head"]\nepochs = 1\nlr = 1e300')
    assert [(p.field, p.severity) for p in recipe.validate()] == [("phases.0.lr", "error")]


FIELDS = [
    *("version", "seed", "device", "dataset", "backbone", "phases", "augmentation", "training", "threshold", "folder"),
    *("name", "weights", "train", "epochs", "lr", "layer_decay", "views", "preset", "batch_size", "warmup", "ema", "x"),
    *("val_fraction", "test_fraction", "group_by", "split_seed", "intensity", "layout", "table", "balance", "enabled"),
]
names = st.sampled_from(FIELDS)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["pretrained", "none", "auto", "head", "full", "~x/y", "~"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def survives(text: str) -> None:
    try:
        recipe = recipe_file.loads(text)
    except RecipeError as error:
        assert str(error)
        return
    assert all(problem.message for problem in recipe.validate())
    command = m.Train(1, recipe, "", "")
    (again,) = codec.command_decoder().feed(codec.encode(command))
    assert isinstance(again, m.Train)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, values, max_size=6))
def test_any_values_are_a_recipe_or_a_sentence(content: dict[str, object]) -> None:
    import tomli_w

    def without_none(value: object) -> object:
        if isinstance(value, dict):
            return {key: without_none(inner) for key, inner in value.items() if inner is not None}
        if isinstance(value, list):
            return [without_none(inner) for inner in value if inner is not None]
        return value

    survives(tomli_w.dumps(without_none(content)))  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_to_a_recipe_is_a_recipe_or_a_sentence(data: st.DataObject) -> None:
    text = recipe_file.dumps(Recipe())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = (
            text[:start] + data.draw(st.text(max_size=5) | st.sampled_from(['"', "=", "[", "]", "9" * 30])) + text[end:]
        )
    survives(text)


def test_more_epochs_than_anybody_can_want_are_a_problem() -> None:
    recipe = Recipe(phases=[recipes.Phase(name="Head", train=["head"], epochs=10**12, lr=1e-3)])
    assert [(p.field, p.severity) for p in recipe.validate()] == [("phases.0.epochs", "error")]
