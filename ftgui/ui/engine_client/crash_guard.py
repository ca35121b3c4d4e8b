"""What the engine was doing by itself when it died: that is not begun again by itself. No widgets."""

from __future__ import annotations

from PySide6.QtCore import QSettings

import ftgui

_KEY = f"crashes/{ftgui.__version__}"
"""By version: the next one may have learned to do it."""

_KEPT = 50


class CrashGuard:
    """Remembers over restarts of the engine and of the program."""

    def __init__(self) -> None:
        self._going_on = ""

    def begins(self, what: str) -> None:
        """The engine is asked for this, without a person's wish."""
        self._going_on = what

    def over(self) -> None:
        """It was answered, or ended in another way than with the engine."""
        self._going_on = ""

    def died(self) -> str:
        """The engine ended unexpectedly.

        Returns:
            what went on and is not to be begun again by itself; empty: nothing that this guard knows of.
        """
        what, self._going_on = self._going_on, ""
        if what:
            self._keep([what, *(other for other in self._blamed() if other != what)])
        return what

    def blames(self, what: str) -> bool:
        """The engine died of it once."""
        return what in self._blamed()

    def forgive(self, what: str) -> None:
        """The person wants it tried again."""
        self._keep([other for other in self._blamed() if other != what])

    @staticmethod
    def _blamed() -> list[str]:
        # One string, because QSettings gives a list of one back as a bare string.
        return [what for what in str(QSettings().value(_KEY, "", type=str)).split("\n") if what]

    @staticmethod
    def _keep(blamed: list[str]) -> None:
        QSettings().setValue(_KEY, "\n".join(blamed[:_KEPT]))
