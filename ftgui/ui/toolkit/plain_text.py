"""Names of files and classes as Qt shows them: as text, whatever is in them."""

from __future__ import annotations

from html import escape

from PySide6.QtGui import Qt


def as_plain(text: str) -> str:
    """For tooltips and message boxes, which take for HTML what looks like it: a file may be called ``<img src=…>.jpg``.

    Labels need none of this: `ftgui.ui.toolkit.basics.label` makes them for plain text.
    """
    if not Qt.mightBeRichText(text):
        return text
    return f'<div style="white-space: pre-wrap">{escape(text)}</div>'
