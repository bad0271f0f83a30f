"""``s2r_train demo``: all steps from rendered scenes to evaluated weights, at a small size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2r_scenes import render_scenes, render_styles

from .errors import TrainingError
from .evaluation.evaluate import evaluate
from .stages import train_all

if TYPE_CHECKING:
    from .config import Config

TEST_SEED = 1000  # of scenes that are in no training set


def demo(
    config: Config,
    scenes: int = 150,
    test_scenes: int = 6,
    style_images: int = 200,
    resume: bool = False,
) -> Path:
    """
    Render streets and style images, train the three stages on them, evaluate on other streets.

    All files are in the run folder: ``scenes/``, ``styles/``, ``test_scenes/``, one folder per
    stage, ``weights.safetensors`` for the node, and ``report.html``.

    :param config: the configuration of the run; its data and style folders are not used.
    :param scenes: number of streets to train on, with four pictures of each in one kind of
        weather.
    :param test_scenes: number of streets to evaluate on, in every kind of weather.
    :param style_images: number of style images.
    :param resume: continue an interrupted demo.
    :returns: the page with the results.
    :raises TrainingError: if a number is below 1, or a stage cannot start or continue.
    """
    counts = {'scenes': scenes, 'test_scenes': test_scenes, 'style_images': style_images}
    for name, count in counts.items():
        if count < 1:
            raise TrainingError(f'{name} must be at least 1, not {count}')
    run_dir = config.run_dir
    width_px, height_px = config.data.width_px, config.data.height_px
    render_scenes(
        run_dir / 'scenes',
        scenes=scenes,
        width_px=width_px,
        height_px=height_px,
        seed=config.seed,
        variation_per_scene='one',
    )
    render_scenes(
        run_dir / 'test_scenes',
        scenes=test_scenes,
        frames_per_scene=1,
        width_px=width_px,
        height_px=height_px,
        seed=config.seed + TEST_SEED,
    )
    render_styles(run_dir / 'styles', count=style_images, size_px=160, seed=config.seed)

    weights_file = train_all(
        replace(
            config,
            data=replace(config.data, dataset='vkitti', root=run_dir / 'scenes', options={}),
            styles=replace(config.styles, root=run_dir / 'styles'),
        ),
        resume,
    )
    evaluate(
        str(weights_file), 'vkitti', run_dir / 'test_scenes', run_dir, pictures=6, overwrite=True
    )
    return run_dir / 'report.html'
