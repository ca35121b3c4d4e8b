"""What the chooser says about models is what the installed libraries say, and what is here is found without them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from ftgui.data import model_zoo
from ftgui.data.model_zoo import GOOD_FIRST_CHOICES, Source, find, in_plain_words, weights_here


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_every_torchvision_classifier_is_in_the_list_with_its_facts() -> None:
    import torchvision

    for name in torchvision.models.list_models(module=torchvision.models):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        known = find(f"torchvision/{name}")
        assert known is not None, name
        assert known.parameters == weights.meta["num_params"]
        assert weights.url.endswith("/" + known.place)
        assert known.input == weights.transforms().crop_size[0]
        assert (known.commercial is False) == ("license" in weights.meta), name


def test_every_pretrained_tag_of_timm_is_in_the_list() -> None:
    import timm
    from timm.models import get_pretrained_cfg

    ours = {model.name for model in model_zoo.known_models()}
    missing = [name for name in timm.list_pretrained() if name not in ours and "tf_efficientnet_lite0" not in name]
    assert missing == [], "run packaging/make_model_list.py"
    for name in timm.list_pretrained()[::40]:
        known, config = find(name), get_pretrained_cfg(name)
        assert known.input == config.input_size[-1] and known.classes == config.num_classes, name
        assert known.licence.lower() == (config.license if config.license != "unknown" else ""), name
        assert (known.source, known.place) == (Source.HUB, config.hf_hub_id) or not config.hf_hub_id, name


@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0", "resnet18.a1_in1k", "vit_tiny_patch16_224", "mobilenetv3_small_050"]
)
def test_parameters_are_counted_right(name: str) -> None:
    import timm

    model = timm.create_model(name.partition(".")[0])
    assert find(name).parameters == sum(parameter.numel() for parameter in model.parameters())


def test_a_name_without_a_tag_means_the_default_tag() -> None:
    from timm.models import get_pretrained_cfg

    for name in ("resnet50", "convnext_tiny", "vit_small_patch16_224", "mobilenetv3_large_100"):
        assert find(name).name == f"{name}.{get_pretrained_cfg(name).tag}"
    assert find("resnet5000") is None and find("torchvision/none") is None


def test_licences_are_clear_or_say_that_they_are_not() -> None:
    assert find("resnet50.a1_in1k").licence_words == "Apache-2.0"
    assert find("torchvision/vit_h_14").licence_words == "CC-BY-NC-4.0 — not for commercial use"
    assert (
        find("torchvision/resnet50").licence_words == "not stated" and find("torchvision/resnet50").commercial is None
    )
    assert find("vit_small_patch16_dinov3.lvd1689m").licence_words == "dinov3-license — its own terms"
    # Whatever names a non-commercial licence gets in another timm, it must not pass as allowed.
    assert all(model.commercial is False for model in model_zoo.known_models() if "NC" in model.licence.split("-"))


def test_good_first_choices_exist_and_may_be_used_for_anything() -> None:
    for name in GOOD_FIRST_CHOICES:
        known = find(name)
        assert known is not None and known.name == name and known.commercial, name


def test_plain_words_follow_the_effort() -> None:
    assert in_plain_words(find("torchvision/squeezenet1_1")).startswith("Small and fast")
    assert in_plain_words(find("torchvision/resnet50")).startswith("Middle-sized")
    assert in_plain_words(find("torchvision/vit_h_14")).startswith("Very large")
    assert in_plain_words(find("resnet50")).startswith("Good first choice: the classic")
    assert "no classes of its own" in in_plain_words(find("vit_small_patch14_dinov2.lvd142m"))


def hub_file(cache: Path, repository: str, name: str = "model.safetensors") -> Path:
    path = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / "abc" / name
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_weights_on_this_computer_are_found(tmp_path: Path) -> None:
    assert weights_here() == {"tf_efficientnet_lite0"}
    checkpoints = tmp_path / "torch/hub/checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / find("torchvision/resnet18").place).touch()
    (checkpoints / (find("torchvision/resnet34").place + ".part")).touch()
    hub_file(tmp_path / "huggingface/hub", "timm/resnet18.a1_in1k")
    (tmp_path / "huggingface/hub/models--timm--resnet34.a1_in1k/blobs").mkdir(parents=True)  # not complete
    hub_file(tmp_path / "huggingface/hub", "timm/resnet50.a1_in1k", "config.json")  # no weights
    assert weights_here() == {"tf_efficientnet_lite0", "torchvision/resnet18", "resnet18.a1_in1k"}


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME"])
def test_other_places_are_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "mine"))
    hub_file(tmp_path / ("mine" if variable == "HF_HUB_CACHE" else "mine/hub"), "timm/resnet18.a1_in1k")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "t"))
    (tmp_path / "t/hub/checkpoints").mkdir(parents=True)
    (tmp_path / "t/hub/checkpoints" / find("torchvision/resnet18").place).touch()
    assert weights_here() == {"tf_efficientnet_lite0", "torchvision/resnet18", "resnet18.a1_in1k"}


@pytest.mark.slow
def test_the_engine_looks_in_the_same_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    monkeypatch.setenv("HF_HOME", str(tmp_path / "h"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "t"))
    code = "import huggingface_hub.constants as c; print(c.HF_HUB_CACHE); import torch; print(torch.hub.get_dir())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.split() == [str(model_zoo.hub_cache()), str(model_zoo.checkpoints().parent)]


def test_the_list_is_read_quickly() -> None:
    model_zoo.known_models.cache_clear()
    started = time.perf_counter()
    assert len(model_zoo.known_models()) > 1500
    assert time.perf_counter() - started < 0.5  # 0.02 s here
