"""The engine process: models, freezing, training, prediction. No Qt.

It needs a pair of pipes (`ftgui.engine.process`) or a caller in its own process (`ftgui.cli.main`), nothing else.
"""
