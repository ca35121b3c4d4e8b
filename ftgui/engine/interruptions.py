"""What may come between while the engine works."""

from __future__ import annotations

from ftgui.protocol import messages as m

SteerCommand = m.SetTrainable | m.ChangeRate | m.ChangeEarlyStop | m.FinishPhase


class StopRequested(Exception):
    """The person pressed Stop; raised between steps."""
