"""Errors of a training that are not bugs of this package."""


class TrainingError(RuntimeError):
    """A run cannot start or continue; the message says what to do."""
