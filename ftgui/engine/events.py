"""What the engine tells the window goes through one function."""

from __future__ import annotations

from collections.abc import Callable

from ftgui.protocol import messages as m

Emit = Callable[[m.Event], None]
