"""
Measuring weights on frames with true depth, and the ablation.

``evaluate.py`` is the verb, and ``measure.py`` has its steps. ``frames.py`` selects the frames,
``methods.py`` predicts their depth, ``protocols.py`` says which pixels count, ``metrics.py`` and
``boundaries.py`` compute the errors, ``scoring.py`` runs every method on every frame, and
``summary.py`` averages the figures. ``report.py`` with ``panels.py`` shows them. ``clean.py``
measures the edge filter and the confidence. ``ablation.py`` trains ``variants.py`` and evaluates
each; ``ablation_tables.py`` writes the tables.
"""

RESULTS_FILE = 'results.json'
REPORT_FILE = 'report.html'
