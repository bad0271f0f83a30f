"""A data set of a few small pictures, and a run so small that a stage takes a second."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
import yaml

from s2r_depth_training.config import Config
from s2r_depth_training.data import Augmentation
from s2r_depth_training.settings.data import DataSettings, SourceSettings, StyleSettings
from s2r_depth_training.settings.fabric import FabricSettings
from s2r_depth_training.settings.stages import (
    AttentionSettings,
    DsaSettings,
    FineTuneSettings,
    JudgeSettings,
    RgbBaselineSettings,
    SteDecoderSettings,
    SteEncoderSettings,
)

SIDE_PX = 96
FRAMES = 8


def write_data(root: Path) -> None:
    """Write ``scenes`` in the layout of vKITTI, and ``styles``, below ``root``."""
    rng = np.random.default_rng(0)
    rgb = root / 'scenes/vkitti_1.3.1_rgb/0001/clone'
    depth = root / 'scenes/vkitti_1.3.1_depthgt/0001/clone'
    styles = root / 'styles'
    for folder in (rgb, depth, styles):
        folder.mkdir(parents=True)
    for number in range(FRAMES):
        centimetres = np.full((100, 120), 65535, np.uint16)
        centimetres[50:] = np.linspace(6000, 300, 50)[:, None]
        colors = np.full((100, 120, 3), 200, np.uint8)
        y, x = rng.integers(20, 60, 2)
        centimetres[y : y + 30, x : x + 40] = rng.integers(500, 3000)
        colors[y : y + 30, x : x + 40] = rng.integers(0, 255, 3)
        cv2.imwrite(str(rgb / f'{number:05d}.png'), colors)
        cv2.imwrite(str(depth / f'{number:05d}.png'), centimetres)
    for number in range(4):
        cv2.imwrite(str(styles / f'{number}.png'), rng.integers(0, 255, (110, 110, 3), np.uint8))


def tiny_config(root: Path, run: str = 'run') -> Config:
    """Return the settings of a run on the data below ``root``; two steps per stage."""
    loop = {'batch_size': 4, 'log_every_steps': 1, 'pictures_every_steps': 1000}
    data = DataSettings(
        root=root / 'scenes',
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        training_focal_px=90.0,
        workers=0,
        augmentation=Augmentation(),
    )
    return Config(
        run_dir=root / run,
        architecture='compact',
        fabric=FabricSettings('cpu', threads=1),
        data=data,
        styles=StyleSettings(root / 'styles'),
        ste_encoder=SteEncoderSettings(
            **{**loop, 'batch_size': 2}, steps=2, crop_px=64, discriminator_scales=2
        ),
        ste_decoder=SteDecoderSettings(**loop, epochs=1),
        attention=AttentionSettings(**loop, epochs=1),
        dsa=DsaSettings(**loop, epochs=1),
        judge=JudgeSettings(**loop, epochs=1, channels=4),
        rgb_baseline=RgbBaselineSettings(**loop, epochs=1),
        fine_tune=FineTuneSettings(
            **loop, epochs=1, data=SourceSettings(root=root / 'scenes', workers=0)
        ),
    )


def with_stage(config: Config, stage: str, **settings) -> Config:
    """Return ``config`` with other settings of one stage."""
    return replace(config, **{stage: replace(getattr(config, stage), **settings)})


def write_yaml(path: Path, root: Path, run: str = 'run', **sections) -> Path:
    """Write the same run as a YAML file; ``sections`` add to what is there."""
    loop = {'batch_size': 4, 'log_every_steps': 1, 'pictures_every_steps': 1000}
    content = {
        'run_dir': str(root / run),
        'architecture': 'compact',
        'fabric': {'accelerator': 'cpu', 'threads': 1},
        'data': {
            'root': str(root / 'scenes'),
            'height_px': SIDE_PX,
            'width_px': SIDE_PX,
            'training_focal_px': 90.0,
            'workers': 0,
        },
        'styles': {'root': str(root / 'styles')},
        'ste_encoder': {
            **loop,
            'batch_size': 2,
            'steps': 2,
            'crop_px': 64,
            'discriminator_scales': 2,
        },
        'ste_decoder': {**loop, 'epochs': 1},
        'dsa': {**loop, 'epochs': 1},
        'attention': {**loop, 'epochs': 1},
        'judge': {**loop, 'epochs': 1, 'channels': 4},
        'rgb_baseline': {**loop, 'epochs': 1},
    }
    for name, section in sections.items():
        content[name] = (
            {**content.get(name, {}), **section} if isinstance(section, dict) else section
        )
    path.write_text(yaml.safe_dump(content), encoding='utf-8')
    return path


def logged(folder: Path, name: str) -> dict[int, float]:
    """Return what was logged of the scalar ``name``: value by step, the later run's where both."""
    values: dict[int, float] = {}
    # TensorBoard orders files by name, which is wrong for two runs begun in the same second.
    for file in sorted(folder.glob('events.out.*'), key=lambda file: file.stat().st_mtime_ns):
        events = EventAccumulator(str(file))
        events.Reload()
        if name in events.Tags()['scalars']:
            values |= {event.step: event.value for event in events.Scalars(name)}
    return values
