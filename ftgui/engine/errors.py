"""The one kind of error that is meant for the person."""


class EngineError(Exception):
    """Something that can't be done; the text is a sentence for the person, and the engine goes on."""
