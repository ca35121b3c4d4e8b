"""The present model: loaded, built anew for a training, put back where that came to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftgui.engine import devices
from ftgui.engine.downloads.downloader import DownloadCancelled, Downloader, Settings
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.interruptions import GaveWay, Interruptions, StopRequested, Work
from ftgui.engine.model import backbones
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.layer_tree import build_tree, output_shapes
from ftgui.engine.model.loaded_model import LoadedModel, take_trained
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone, Recipe


class ModelService:
    """Holds the present model and answers the commands that change it.

    Args:
        emit: takes every event.
        interruptions: asked while weights are downloaded.
    """

    def __init__(self, emit: Emit, interruptions: Interruptions) -> None:
        self._emit = emit
        self._interruptions = interruptions
        self.present: LoadedModel | None = None
        self.loads = 0
        """How often a model was loaded since the start."""
        self.in_training = False
        """It is being trained."""
        self.downloads = Settings()
        """Where weights may come from."""

    def require(self) -> LoadedModel:
        """The present model.

        Raises:
            EngineError: there is none.
        """
        if self.present is None:
            raise EngineError("No model is loaded yet.")
        return self.present

    def configure(self, command: m.Configure) -> None:
        """Whether and from where weights may be downloaded, from now on."""
        self.downloads = Settings(command.offline, command.hub_mirror, command.torchvision_mirror)

    def load(self, command: m.LoadModel) -> None:
        """Build a model, the present one from now on; answered by `ModelLoaded`.

        Raises:
            EngineError: it can't be had; the model before stays.
        """
        loaded = self._build(command.request, command.backbone, command.class_names, command.device, command.seed)
        self._tell_taken(loaded)
        loaded.read_with(command.intensity)
        if command.trained_weights:
            self._take_trained(loaded, Path(command.trained_weights), command.trained_names)
        loaded.freezer.set_trainable(loaded.freezer.resolve(command.train))
        self.present = loaded
        self.loads += 1
        freezer, built = loaded.freezer, loaded.built
        self._emit(
            m.ModelLoaded(
                request=command.request,
                backbone=command.backbone,
                title=built.title,
                class_names=built.class_names,
                layers=loaded.nodes,
                trainable=sorted(freezer.trainable),
                trainable_parameters=freezer.trainable_parameters,
                total_parameters=freezer.total_parameters,
                trained=loaded.trained,
                device=str(loaded.device),
            )
        )

    def _tell_taken(self, loaded: LoadedModel) -> None:
        """What of a weights file of one's own is in the model."""
        if loaded.built.taken:
            self._emit(m.Log("notice", loaded.built.taken))

    def _build(
        self, request: int, backbone: Backbone, class_names: list[str], device_name: str, seed: int
    ) -> LoadedModel:
        device = devices.pick(device_name)
        built = backbones.build(backbone, class_names, seed, self.downloader(request))
        tree = build_tree(built.model, built.heads)
        nodes = tree.nodes(output_shapes(built.model, built.preprocessing.size))
        built.model.to(device)
        return LoadedModel(backbone, built, Freezer(built.model, tree), nodes, device, seed, trained=not class_names)

    def _take_trained(self, loaded: LoadedModel, folder: Path, names_now: list[str]) -> None:
        """Weights of a finished model, where they fit; a project whose classes changed just starts untrained."""
        try:
            why = take_trained(loaded, folder, names_now)
        except EngineError as error:
            self._emit(m.Log("warning", f"The model of {folder.parent.name} can't be loaded. {error}"))
            return
        if why:
            self._emit(m.Log("warning", f"{why} Train to teach it the current ones."))

    def set_trainable(self, command: m.SetTrainable) -> None:
        """Let exactly these layers learn; answered by `FreezingChanged`."""
        freezer = self.require().freezer
        freezer.set_trainable(freezer.resolve(command.layers))
        self._emit(
            m.FreezingChanged(
                request=command.request,
                trainable=sorted(freezer.trainable),
                layers=freezer.names(),
                trainable_parameters=freezer.trainable_parameters,
                total_parameters=freezer.total_parameters,
            )
        )

    # --- downloads --------------------------------------------------------------------------------------------------

    def downloader(self, request: int) -> Downloader:
        """For weights that may have to be fetched, for the command of this request. While a training runs nothing is
        fetched."""
        if self.in_training:
            return Downloader(Settings(True, self.downloads.hub_mirror, self.downloads.torchvision_mirror))

        def tell(what: str, done: int, total: int) -> None:
            self._emit(m.Progress(what, done, total, "bytes", request))
            self._poll(request)

        return Downloader(self.downloads, tell)

    def _poll(self, request: int) -> None:
        try:
            self._interruptions.poll(Work.DOWNLOAD, request)
        except GaveWay as gave_way:
            raise DownloadCancelled("Another model was chosen.") from gave_way
        except StopRequested as stopped:
            stays = "; the model before stays." if self.present else "."
            raise DownloadCancelled(f"The download was cancelled{stays}") from stopped

    # --- for a training ---------------------------------------------------------------------------------------------

    def fresh(self, request: int, recipe: Recipe, class_names: list[str]) -> LoadedModel:
        """A model in the state the recipe names, the present one from now on: every run starts from the pretrained weights,
        never from the last."""
        before = self.present
        self.present = self._build(request, recipe.backbone, class_names, recipe.device, recipe.seed)
        if before is None or before.backbone != recipe.backbone:  # else it was told when that was loaded
            self._tell_taken(self.present)
        return self.present

    @contextmanager
    def set_aside(self) -> Iterator[LoadedModel | None]:
        """The model trained before, off the device while another trains, in case the new run comes to nothing.

        Whatever keeps the new run from beginning or ends it with an error, the model is then back on its device and the
        present one again, as the window still believes.
        """
        before = self.present
        if before is None or not before.trained:
            yield None
            return
        before.model.to("cpu")
        try:
            yield before
        except BaseException:
            self._back(before)
            raise

    def put_back(self, before: LoadedModel | None, request: int, recipe: Recipe, class_names: list[str]) -> None:
        """Have the model that was set aside again, where it is of the same kind and classes; else a fresh one."""
        if before is not None and (before.backbone, before.built.class_names) == (recipe.backbone, class_names):
            self._back(before)
        else:
            self.fresh(request, recipe, class_names)

    def _back(self, before: LoadedModel) -> None:
        self.present = None  # the new one goes first: the device may not hold both
        before.model.to(before.device)
        self.present = before
