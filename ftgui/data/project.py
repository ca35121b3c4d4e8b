"""A project folder: ``recipe.toml``, ``catalog.sqlite``, ``runs/``. Always saved, never asked about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ftgui.base import paths
from ftgui.base.files import slug
from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.scan_intake import ScanIntake
from ftgui.data.catalog.split import Splitting
from ftgui.data.scanning.folder_scan import dataset_root, scan
from ftgui.data.scanning.found import Columns, DatasetError, Found, FoundImage, ImagesGoneError
from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.readings import ASK
from ftgui.data.scanning.walk import count_images
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe


def wanted_of(recipe: Recipe) -> Wanted:
    """What a recipe says of how to read its dataset."""
    dataset = recipe.dataset
    columns = Columns(dataset.table, dataset.path_column, dataset.label_column, dataset.split_column)
    return Wanted(dataset.layout, columns if dataset.table else None, dataset.name_pattern)


def _asking(recipe: Recipe) -> Recipe:
    """The recipe, but for what says the classes: the person wants to be asked."""
    dataset = msgspec.structs.replace(recipe.dataset, layout=ASK, table="")
    return msgspec.structs.replace(recipe, dataset=dataset)


def splitting_of(recipe: Recipe) -> Splitting:
    """How a recipe wants images split."""
    dataset = recipe.dataset
    return Splitting(dataset.val_fraction, dataset.test_fraction, dataset.split_seed, dataset.group_by)


@dataclass(frozen=True)
class Project:
    """Where a project's files are. Holds no state of its own: the files are the state."""

    folder: Path

    @property
    def recipe_path(self) -> Path:
        return self.folder / "recipe.toml"

    @property
    def catalog_path(self) -> Path:
        return self.folder / "catalog.sqlite"

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs"

    @staticmethod
    def for_dataset(dataset: Path, only: Sequence[str] = ()) -> Project:
        """The untitled project of a dataset folder, or of some folders in it: the same dropped again finds its runs again."""
        folder = project_place(dataset, only)
        folder.mkdir(parents=True, exist_ok=True)
        return Project(folder)

    def take_in(
        self,
        folder: Path,
        job: Job | None = None,
        begun: Callable[[], None] | None = None,
        wanted: Wanted | None = None,
        only: Sequence[str] = (),
    ) -> tuple[Recipe, Found]:
        """Make recipe and catalog say what a folder holds; an existing recipe keeps its phases and settings.

        Args:
            folder: of the dataset.
            job: progress in images.
            only: names of the class folders in it that count; empty: all.
            wanted: what the person answered to a `LayoutQuestion` or `TableQuestion`; the recipe remembers it. None: what
                the recipe says.
            begun: called when the recipe is saved and images are in the catalog, but the search still goes on.

        Raises:
            DatasetError, RecipeError, CatalogError, Cancelled: as `fill`; or the project's recipe can't be read.
        """
        recipe = self.recipe_for(folder, only)
        asked = wanted is not None and wanted.layout == ASK
        if wanted is not None and not asked:
            columns = wanted.columns or Columns("", "", "")
            dataset = msgspec.structs.replace(
                recipe.dataset,
                layout=wanted.layout,
                table=columns.table,
                path_column=columns.path,
                label_column=columns.label,
                split_column=columns.split,
                name_pattern=wanted.pattern,
            )
            recipe = msgspec.structs.replace(recipe, dataset=dataset)

        saved = False

        def first() -> None:
            nonlocal saved
            recipe_file.save(recipe, self.recipe_path)
            saved = True
            if begun is not None:
                begun()

        found = self.fill(folder, _asking(recipe) if asked else recipe, job or Job(), first)
        if not saved:  # if it was, the person may have changed it meanwhile
            recipe_file.save(recipe, self.recipe_path)
        return recipe, found

    def recipe_for(self, folder: Path, only: Sequence[str] = ()) -> Recipe:
        """The project's recipe, or a new one, with this dataset.

        Raises:
            DatasetError: the folder can't be read.
            RecipeError: the recipe can't.
        """
        recipe = recipe_file.load(self.recipe_path) if self.recipe_path.exists() else Recipe()
        folders = list(only) or recipe.dataset.folders
        root = folder.absolute() if folders else self._root_of(folder)
        dataset = msgspec.structs.replace(recipe.dataset, folder=str(root), folders=folders)
        return msgspec.structs.replace(recipe, dataset=dataset)

    def _root_of(self, folder: Path) -> Path:
        """As `dataset_root`, but of a folder that is gone it is said what is known of it.

        Raises:
            DatasetError: it can't be read.
        """
        try:
            return dataset_root(folder)
        except DatasetError as error:
            if self.catalog_path.is_file():
                with CatalogReader(self.catalog_path) as catalog:
                    _say_gone(catalog, (folder.absolute(),), Job(), error)
            raise

    def fill(
        self,
        folder: Path,
        recipe: Recipe,
        job: Job,
        begun: Callable[[], None] | None = None,
        known: Sequence[str] = (),
    ) -> Found:
        """Make the catalog say what a folder holds, and keep all that is known or was decided about its images.

        Args:
            folder: of the dataset.
            recipe: says how to split.
            job: progress in images.
            begun: called when images are in the catalog, but the search still goes on.
            known: class names whose spelling counts more than that of the folders, as those of a model.

        Raises:
            DatasetError: as `scan`; the catalog is then as it was.
            ImagesGoneError: the folder is empty now, or is not there, and the catalog knows images in it.
            CatalogError: the catalog can't be opened.
            Cancelled: through `job`; what was found so far is in the catalog.
        """
        root = folder.absolute() if recipe.dataset.folders else self._root_of(folder)
        with self.catalog() as catalog:
            intake = ScanIntake(catalog, root)
            batches = 0

            def take(images: list[FoundImage]) -> None:
                nonlocal batches
                if batches == 1 and begun is not None:
                    begun()
                intake.take(images)
                batches += 1

            try:
                found = scan(root, job, take, None, recipe.dataset.folders, wanted_of(recipe), known)
            except DatasetError as error:
                _say_gone(catalog, (root, folder.absolute()), job, error)
                raise
            intake.finish(found, splitting_of(recipe))
        return found

    def catalog(self) -> Catalog:
        """A new connection; the caller closes it."""
        return Catalog(self.catalog_path)


def _say_gone(catalog: CatalogReader, folders: Sequence[Path], job: Job, error: DatasetError) -> None:
    """Where a scan found nothing, though the catalog knows images in one of these folders.

    Raises:
        ImagesGoneError: so it is.
    """
    known = catalog.found_images() if catalog.has_dataset and catalog.root in folders else 0
    if not known or count_images(catalog.root, job, enough=1):
        return
    root = catalog.root
    there = f"There are no images in “{root.name}” any more" if root.is_dir() else str(error).rstrip(".")
    raise ImagesGoneError(there, known, catalog.path.parent, root) from error


def project_place(dataset: Path, only: Sequence[str] = (), below: Path | None = None) -> Path:
    """Where the untitled project of a dataset folder is, if there is one. See `Project.for_dataset`.

    Args:
        dataset: the folder.
        only: names of the folders in it that count; empty: all.
        below: None: the folder of all projects.
    """
    place = own_place(dataset, only, below)
    try:
        name = link_of(place).read_text(encoding="utf-8")
    except FileNotFoundError:
        return place
    return place.with_name(name) if re.fullmatch(r"[\w-]+", name) else place  # nothing outside of this folder


def own_place(dataset: Path, only: Sequence[str] = (), below: Path | None = None) -> Path:
    """Where the project of a dataset folder is as long as neither it nor another one was moved; see `project_place`."""
    resolved = dataset.resolve()
    identity = "\n".join([str(resolved), *sorted(only)])
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return (below or paths.data_dir() / "projects") / f"{slug(resolved.name)}-{digest}"


def link_of(place: Path) -> Path:
    """A file beside a project's own place with the name of the folder where it is instead; see `ftgui.data.moved_dataset`."""
    return place.with_name(f"{place.name}.link")
