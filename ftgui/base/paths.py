"""Where ftgui keeps its things: shipped resources, the user's projects, the cache."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from ftgui.base.files import sweep, temporary_name


def resource(*parts: str) -> Path:
    """A shipped file, e.g. ``resource("icons", "play.svg")``.

    In an installed wheel ``resources/`` lies inside the package, in a checkout beside it.
    """
    package = Path(__file__).resolve().parent.parent
    inside = package / "resources"
    root = inside if inside.is_dir() else package.parent / "resources"
    return root.joinpath(*parts)


def _base(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable) or default).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def data_dir() -> Path:
    """Projects, runs and the log: ``$FTGUI_DATA_DIR`` or the user's data folder."""
    return _base("FTGUI_DATA_DIR", platformdirs.user_data_dir("ftgui", appauthor=False))


def cache_dir() -> Path:
    """What can be made again at any time (the sample's pictures): ``$FTGUI_CACHE_DIR`` or the user's cache folder."""
    return _base("FTGUI_CACHE_DIR", platformdirs.user_cache_dir("ftgui", appauthor=False))


def safe_name(name: str) -> str:
    """A name that every file system takes for one file or folder: what some of them forbid becomes ``_``."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).rstrip(". ") or "_"


def scratch_folder(base: Path) -> Path:
    """A new folder in `base` for as long as this process needs it; what killed processes left there goes."""
    base.mkdir(parents=True, exist_ok=True)
    sweep(base)
    folder = temporary_name(base / "scratch")
    folder.mkdir()
    return folder
