"""The engine process: models, freezing, training, prediction. No Qt.

It needs a pair of pipes (`ftgui.engine.child`) or a caller in its own process (`ftgui.cli`), nothing else.
"""
