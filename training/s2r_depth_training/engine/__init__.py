"""
The parts of a training that all stages share, one per module.

``stage.py`` counts the steps of a stage, saves its checkpoints and writes its result.
``run_folder.py`` locks and describes the folder, ``checkpoints.py`` writes and reads its files,
``resume.py`` restores a run, and ``training_log.py`` with ``pictures.py`` shows its progress.
``batches.py`` is the interface of a loader. ``fabric.py`` starts devices and processes,
``optimizers.py`` (with ``muon.py``) has optimizers and schedules, ``ema.py`` the moving average,
and ``cuda_graph.py`` the recorded step. ``provenance.py`` notes where weights come from.
"""
