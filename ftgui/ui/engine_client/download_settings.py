"""What the model chooser remembers between sessions: models used lately, and how weights may be downloaded."""

from __future__ import annotations

from PySide6.QtCore import QSettings

from ftgui.protocol import messages as m

RECENT_KEPT = 6


def recent_models() -> list[str]:
    """Names chosen lately, the newest first."""
    # One string, because QSettings gives a list of one back as a bare string.
    return [name for name in str(QSettings().value("models/recent", "", type=str)).split("\n") if name]


def note_recent(name: str) -> None:
    """Put a name first."""
    names = [name, *(other for other in recent_models() if other != name)]
    QSettings().setValue("models/recent", "\n".join(names[:RECENT_KEPT]))


def download_settings() -> m.Configure:
    """As the person left them; at first nothing is set."""
    settings = QSettings()
    return m.Configure(
        offline=bool(settings.value("downloads/offline", False, type=bool)),
        hub_mirror=str(settings.value("downloads/hub-mirror", "", type=str)),
        torchvision_mirror=str(settings.value("downloads/torchvision-mirror", "", type=str)),
    )


def keep_download_settings(chosen: m.Configure) -> None:
    """For the next start, too."""
    settings = QSettings()
    settings.setValue("downloads/offline", chosen.offline)
    settings.setValue("downloads/hub-mirror", chosen.hub_mirror)
    settings.setValue("downloads/torchvision-mirror", chosen.torchvision_mirror)
