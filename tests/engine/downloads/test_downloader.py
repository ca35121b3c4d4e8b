"""Weights come over a bad network whole, or not at all; every server here is on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import huggingface_hub
import pytest
import safetensors.torch
import timm
import torch
import torchvision
from timm.models import get_pretrained_cfg

from ftgui.engine.downloads import downloader
from ftgui.engine.downloads.downloader import Downloader, Settings
from ftgui.engine.errors import EngineError
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from tests.engine.conftest import TINY, Engine
from tests.engine.mirror import COMMIT, Mirror

CONTENT = bytes(range(256)) * 8000  # 2 MB
URL = downloader.TORCHVISION_HOST + "/models/thing-{}.pth"


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def named(content: bytes = CONTENT) -> str:
    """The address torchvision would give a file, with the first digits of its checksum in the name."""
    return URL.format(hashlib.sha256(content).hexdigest()[:8])


def path_of(url: str) -> str:
    return url.removeprefix(downloader.TORCHVISION_HOST)


def folder(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "torch/hub/checkpoints").iterdir())


# --- plain files ----------------------------------------------------------------------------------------------------


def test_a_file_comes_once_with_progress(mirror: Mirror) -> None:
    said: list[tuple[str, int, int]] = []
    loader = Downloader(Settings(torchvision_mirror=mirror.address + "/"), lambda *progress: said.append(progress))
    mirror.files[path_of(named())] = CONTENT
    path = loader.checkpoint("thing", named())
    assert path.read_bytes() == CONTENT
    assert said[-1] == ("downloading thing", len(CONTENT), len(CONTENT))
    assert len(said) > 2 and [done for _, done, _ in said] == sorted(done for _, done, _ in said)
    assert loader.checkpoint("thing", named()) == path and len(mirror.asked) == 1


def test_a_cut_connection_goes_on_where_it_ended(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files[path_of(named())] = CONTENT
    mirror.cut_after = [700_000, 300_000, 100_000, 100_000, 100_000]  # more often than what it gives up after
    path = Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named())
    assert path.read_bytes() == CONTENT
    starts = (700_000, 1_000_000, 1_100_000, 1_200_000, 1_300_000)
    assert [wanted for _, _, wanted in mirror.asked] == ["", *(f"bytes={start}-" for start in starts)]
    assert folder(tmp_path) == [path.name]


def test_a_server_that_knows_no_ranges_starts_again(mirror: Mirror) -> None:
    mirror.files[path_of(named())] = CONTENT
    mirror.cut_after, mirror.ranges = [700_000], False
    path = Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named())
    assert path.read_bytes() == CONTENT


def test_a_cancelled_download_goes_on_next_time(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files[path_of(named())] = CONTENT
    settings = Settings(torchvision_mirror=mirror.address)

    def enough(_what: str, done: int, _total: int) -> None:
        if done > 500_000:
            raise downloader.DownloadCancelled("enough")

    with pytest.raises(EngineError, match="enough"):
        Downloader(settings, enough).checkpoint("thing", named())
    (left,) = folder(tmp_path)
    assert left.endswith(".part")
    assert Downloader(settings).checkpoint("thing", named()).read_bytes() == CONTENT
    assert int(mirror.asked[-1][2].removeprefix("bytes=").rstrip("-")) > 500_000


def test_a_wrong_checksum_is_deleted_and_said(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files[path_of(named())] = CONTENT[:-1] + b"?"
    with pytest.raises(EngineError, match=r"checksum is wrong.*deleted"):
        Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named())
    assert folder(tmp_path) == []


def test_a_part_of_something_longer_is_replaced(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files[path_of(named())] = CONTENT
    part = tmp_path / "torch/hub/checkpoints" / (Path(named()).name + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(CONTENT) + 5))
    assert Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named()).read_bytes() == CONTENT


def test_a_whole_part_is_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    """ftgui ended after the last byte came and before it was checked."""
    mirror.files[path_of(named())] = CONTENT
    part = tmp_path / "torch/hub/checkpoints" / (Path(named()).name + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named()).read_bytes() == CONTENT
    assert [wanted for _, _, wanted in mirror.asked] == [f"bytes={len(CONTENT)}-"]
    assert folder(tmp_path) == [Path(named()).name]


def test_a_server_that_only_hangs_up_is_given_up(mirror: Mirror) -> None:
    mirror.files[path_of(named())] = CONTENT
    mirror.cut_after = [0] * 20
    with pytest.raises(EngineError, match="could not be downloaded"):
        Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named())
    assert len(mirror.asked) == downloader.TRIES


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_names_server_and_reason(mirror: Mirror, status: int) -> None:
    mirror.status = status
    with pytest.raises(EngineError, match=rf"127\.0\.0\.1 refused .*“thing” \({status} "):
        Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named())


def test_offline_asks_nobody(mirror: Mirror) -> None:
    loader = Downloader(Settings(offline=True, torchvision_mirror=mirror.address, hub_mirror=mirror.address))
    for fetch in (lambda: loader.checkpoint("thing", named()), lambda: loader.hub("thing", "timm/thing")):
        with pytest.raises(EngineError, match="not on this computer, and ftgui is set to never use the network"):
            fetch()
    assert mirror.asked == []


def test_the_librarys_own_offline_switch_counts(monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EngineError, match="never use the network"):
        Downloader(Settings(torchvision_mirror=mirror.address)).checkpoint("thing", named())
    assert mirror.asked == []


def test_only_web_addresses_are_opened(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/thing.pth").write_bytes(b"x")
    with pytest.raises(EngineError, match="could not be downloaded"):
        Downloader(Settings(torchvision_mirror=tmp_path.as_uri())).checkpoint("thing", URL.format("x"))


# --- the hub --------------------------------------------------------------------------------------------------------


def on_hub(mirror: Mirror, repository: str, content: bytes, filename: str = "model.safetensors") -> None:
    mirror.files[f"/{repository}/resolve/main/{filename}"] = content


def usual_hub(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """As `HF_ENDPOINT` does, which huggingface_hub reads at import."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


def test_the_hub_resumes_checks_and_lands_in_its_cache(mirror: Mirror, tmp_path: Path) -> None:
    on_hub(mirror, "timm/thing", CONTENT)
    mirror.cut_after = [900_000]
    loader = Downloader(Settings(hub_mirror=mirror.address))
    path = loader.hub("thing", "timm/thing")
    assert path.read_bytes() == CONTENT
    assert path == tmp_path / f"hub/models--timm--thing/snapshots/{COMMIT}/model.safetensors"
    assert [wanted for method, _, wanted in mirror.asked if method == "GET"] == ["", "bytes=900000-"]
    before = len(mirror.asked)
    assert loader.hub("thing", "timm/thing") == path and len(mirror.asked) == before


def test_the_hubs_checksum_is_checked(mirror: Mirror, tmp_path: Path) -> None:
    on_hub(mirror, "timm/thing", CONTENT)
    mirror.etag = "0" * 64
    with pytest.raises(EngineError, match="checksum is wrong"):
        Downloader(Settings(hub_mirror=mirror.address)).hub("thing", "timm/thing")
    assert list((tmp_path / "hub/models--timm--thing/blobs").iterdir()) == []


def test_the_hubs_other_weights_file_is_taken(mirror: Mirror) -> None:
    on_hub(mirror, "timm/thing", CONTENT, "pytorch_model.bin")
    assert Downloader(Settings(hub_mirror=mirror.address)).hub("thing", "timm/thing").name == "pytorch_model.bin"
    with pytest.raises(EngineError, match="has no weights for “other”"):
        Downloader(Settings(hub_mirror=mirror.address)).hub("other", "timm/other")


def test_the_usual_address_is_the_environments(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    usual_hub(monkeypatch, mirror.address)
    on_hub(mirror, "timm/thing", CONTENT)
    assert Downloader().hub("thing", "timm/thing").read_bytes() == CONTENT


def test_an_access_token_is_not_for_mirrors(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    on_hub(mirror, "timm/thing", CONTENT)
    Downloader(Settings(hub_mirror=mirror.address)).hub("thing", "timm/thing")
    assert mirror.tokens == {""}
    mirror.tokens.clear()
    usual_hub(monkeypatch, mirror.address)
    on_hub(mirror, "timm/gated", CONTENT)
    Downloader().hub("gated", "timm/gated")
    assert mirror.tokens == {"Bearer hf_secret"}


def test_what_is_no_hub_is_a_sentence(mirror: Mirror) -> None:
    mirror.status = 500
    with pytest.raises(EngineError, match=r"refused to provide .* \(500 Internal Server Error\)"):
        Downloader(Settings(hub_mirror=mirror.address)).hub("thing", "timm/thing")


# --- through the session --------------------------------------------------------------------------------------------

TAGGED = "test_efficientnet.r160_in1k"


@pytest.fixture
def tiny_on_hub(mirror: Mirror) -> torch.Tensor:
    """timm's test model on the mirror; returns its first weights."""
    torch.manual_seed(5)
    state = timm.create_model("test_efficientnet").state_dict()
    config = get_pretrained_cfg(TAGGED)
    on_hub(mirror, config.hf_hub_id, safetensors.torch.save({k: v.contiguous() for k, v in state.items()}))
    return state["conv_stem.weight"]


def test_a_timm_model_is_downloaded_with_progress(
    mirror: Mirror, tiny_on_hub: torch.Tensor, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual_hub(monkeypatch, mirror.address + "/usual")
    engine.session.handle(m.Configure(hub_mirror=mirror.address))
    loaded = engine.do(m.LoadModel(1, Backbone(name=TAGGED), ["a", "b"], ["head"], device="cpu"))
    assert isinstance(loaded, m.ModelLoaded), loaded
    assert torch.equal(engine.session.models.present.model.conv_stem.weight, tiny_on_hub)
    last = engine.of(m.Progress)[-1]
    assert last.unit == "bytes" and last.done == last.total > 1_000_000 and TAGGED in last.what
    asked = len(mirror.asked)
    engine.session.handle(m.Configure(offline=True))
    again = engine.do(m.LoadModel(2, Backbone(name=TAGGED), ["a", "b"], ["head"], device="cpu"))
    assert isinstance(again, m.ModelLoaded) and len(mirror.asked) == asked
    assert not any(path.startswith("/usual") for _, path, _ in mirror.asked), "timm asked behind the mirror's back"


def test_a_torchvision_model_is_downloaded(
    mirror: Mirror, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    torch.save(state, tmp_path / "made.pth")
    content = (tmp_path / "made.pth").read_bytes()
    weights = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
    monkeypatch.setattr(type(weights), "url", property(lambda _self: named(content)))
    mirror.files[path_of(named(content))] = content
    engine.session.handle(m.Configure(torchvision_mirror=mirror.address))
    loaded = engine.do(m.LoadModel(1, Backbone(name="torchvision/squeezenet1_1"), ["a", "b"], ["head"], device="cpu"))
    assert isinstance(loaded, m.ModelLoaded), loaded
    assert torch.equal(engine.session.models.present.model.features[0].weight, state["features.0.weight"])


def test_stop_cancels_and_the_model_before_stays(mirror: Mirror, tiny_on_hub: torch.Tensor, engine: Engine) -> None:
    engine.do(m.LoadModel(1, TINY, ["a", "b"], ["head"], device="cpu"))
    before = engine.session.models.present
    engine.session.handle(m.Configure(hub_mirror=mirror.address))
    engine.queue = [m.CancelRequest(2)]
    failed = engine.do(m.LoadModel(2, Backbone(name=TAGGED), ["a", "b"], ["head"], device="cpu"))
    assert failed == m.CommandFailed(2, "The download was cancelled; the model before stays.")
    assert engine.session.models.present is before and not engine.session.shutting_down
    assert isinstance(
        engine.do(m.LoadModel(3, Backbone(name=TAGGED), ["a", "b"], ["head"], device="cpu")), m.ModelLoaded
    )


def test_another_choice_ends_the_download_and_what_waited_is_done(
    mirror: Mirror, tiny_on_hub: torch.Tensor, engine: Engine
) -> None:
    engine.session.handle(m.Configure(hub_mirror=mirror.address))
    engine.queue = [m.SetTrainable(8, []), m.LoadModel(3, TINY, ["a", "b"], ["head"], device="cpu")]
    engine.do(m.LoadModel(2, Backbone(name=TAGGED), ["a", "b"], ["head"], device="cpu"))
    answers = [event.request for event in engine.events if not isinstance(event, m.Progress)]
    assert answers == [2, 8, 3]
    assert engine.of(m.CommandFailed)[0].message == "Another model was chosen."
    assert engine.of(m.ModelLoaded)[-1].backbone == TINY


def test_shutdown_ends_a_download(mirror: Mirror, tiny_on_hub: torch.Tensor, engine: Engine) -> None:
    engine.session.handle(m.Configure(hub_mirror=mirror.address))
    engine.queue = [m.SetTrainable(8, []), m.Shutdown()]
    engine.do(m.LoadModel(2, Backbone(name=TAGGED), ["a", "b"], ["head"], device="cpu"))
    assert engine.session.shutting_down
    assert engine.of(m.CommandFailed)[-1].request == 2


def test_a_model_without_weights_says_so(engine: Engine) -> None:
    nameless = next(name for name in timm.list_models("test_*") if not get_pretrained_cfg(name).has_weights)
    engine.do(m.LoadModel(1, Backbone(name=nameless), ["a", "b"], ["head"], device="cpu"))
    assert "There are no pretrained weights" in engine.of(m.CommandFailed)[-1].message
