"""The settings of a run, without what they set: no module here imports torch."""
