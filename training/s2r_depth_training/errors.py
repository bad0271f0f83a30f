"""Errors of a training that are no fault of the code."""


class TrainingError(RuntimeError):
    """A run cannot start or go on; the message says what to do."""
