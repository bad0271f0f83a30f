"""
The losses of a tiny run, and the figures that ``evaluate`` gives, are those of the golden file.

``plain`` is free of random changes to the images: augmentation is off, and the images have the
size of the network's input, so that there is one way to crop them. It covers stages 2 and 3, the
attention before stage 3 and the RGB baseline, with the readers, the order of the images, the focal
correction of depth, the random start of the weights, the losses, optimizers, schedules, averages,
and what a stage hands to the next. Stage 1 hands over its random start. ``whole_set`` is stage 2
with all images in each batch, so that their order does not count, read as ever and from memory.

``style_crops`` is stage 1 of the same. Its style images are cropped and mirrored at random, which
no setting turns off; so it depends on the random numbers of their loader. ``augmented`` is the
three stages with the published augmentation and cropped images; it depends on each random number
that the loaders draw. Rewrite these two where the draws change on purpose.

``evaluated_...`` are the figures of the bundled weights on demo frames, as if each of them showed
a level plane.
"""

from collections import defaultdict
import json
from pathlib import Path

import cv2
from golden_files import block_means
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_run import SIDE_PX, write_data, write_yaml

from s2r_depth_ros import DepthPredictor
from s2r_depth_training.cli import main

DEMO_FRAMES = Path(__file__).parents[2] / 's2r_depth_ros' / 'demo_frames'
STAGES = ('ste_encoder', 'ste_decoder', 'attention', 'dsa', 'rgb_baseline')
NO_AUGMENTATION = {'flip_probability': 0, 'rotation_probability': 0, 'color_probability': 0}

# Another CPU adds up in another order. The first step of Adam moves every weight by the learning
# rate in the direction of its gradient, and where that is almost 0 the order decides on the sign.
# So the losses drift apart with the steps: by 0.1 % with AVX2 in place of AVX-512, and by 0.2 %
# with SSE.
LOSS_RTOL = 0.01


def write_plain_data(root: Path) -> None:
    """Write six scenes of the network's size and three style images."""
    rng = np.random.default_rng(5)
    folders = [
        root / name
        for name in (
            'scenes/vkitti_1.3.1_rgb/0001/clone',
            'scenes/vkitti_1.3.1_depthgt/0001/clone',
            'styles',
        )
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    rgb, depth, styles = folders
    for number in range(6):
        centimetres = np.full((SIDE_PX, SIDE_PX), 65535, np.uint16)
        centimetres[48:] = np.linspace(6000, 300, SIDE_PX - 48)[:, None]
        colors = np.full((SIDE_PX, SIDE_PX, 3), 200, np.uint8)
        colors[48:] = rng.integers(60, 120, (SIDE_PX - 48, SIDE_PX, 1))
        y, x = rng.integers(20, 56, 2)
        centimetres[y : y + 30, x : x + 40] = rng.integers(500, 3000)
        colors[y : y + 30, x : x + 40] = rng.integers(0, 255, 3)
        cv2.imwrite(str(rgb / f'{number:05d}.png'), colors)
        cv2.imwrite(str(depth / f'{number:05d}.png'), centimetres)
    for number in range(3):
        colors = rng.integers(0, 255, (SIDE_PX, SIDE_PX, 3), np.uint8)
        cv2.imwrite(str(styles / f'{number}.png'), colors)


@pytest.fixture(scope='module')
def plain_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('plain')
    write_plain_data(root)
    return root


def config_file(root: Path, run: str, data: dict, crop_px: int = SIDE_PX) -> Path:
    """Write the settings of a run in float32 of three steps a stage, two images each."""
    stages = {name: {'batch_size': 2} for name in STAGES}
    return write_yaml(
        root / f'{run}.yaml',
        root,
        run,
        fabric={'precision': '32-true'},
        data=data,
        **{**stages, 'ste_encoder': {'steps': 3, 'crop_px': crop_px}},
    )


def train(config: Path, *verbs: str, **settings: object) -> None:
    for verb in verbs:
        options = [f'--{name}={value}' for name, value in settings.items()]
        assert main([verb, '--config', str(config), *options]) == 0


def compare_losses(golden_part, run: Path) -> None:
    """Compare every loss and learning rate that the stages of a run logged, step by step."""
    for stage in sorted(path for path in run.iterdir() if path.is_dir()):
        for name, values in logged_numbers(stage).items():
            golden_part.numbers(f'{stage.name}/{name}', values, rtol=LOSS_RTOL, atol=1e-6)


def logged_numbers(folder: Path) -> dict[str, list[float]]:
    numbers = defaultdict(list)
    for file in folder.glob('events.out.*'):
        events = EventAccumulator(str(file))
        events.Reload()
        for name in events.Tags()['scalars']:
            if name.startswith(('loss', 'learning_rate')):
                numbers[name] += [event.value for event in events.Scalars(name)]
    return numbers


def test_the_losses_without_random_changes_are_the_golden_ones(plain_root, golden):
    config = config_file(plain_root, 'run', {'augmentation': NO_AUGMENTATION})
    train(config, 'ste-encoder', **{'ste_encoder.max_minutes': 0})
    train(config, 'ste-decoder', 'attention', 'dsa', 'rgb-baseline')
    with golden('training.json', 'plain') as part:
        compare_losses(part, plain_root / 'run')
        # The losses are of the weights, and the hand-over is their average. After three steps it
        # says 39.4 m everywhere: with SSE 2 mm more or less, with another decay 13 mm.
        file = plain_root / 'scenes/vkitti_1.3.1_rgb/0001/clone/00000.png'
        rgb = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        predictor = DepthPredictor(plain_root / 'run/weights.safetensors', 'cpu', engine='torch')
        (depth_m,) = predictor.predict([rgb])
        part.numbers('depth_m', block_means(depth_m, 4, 4), atol=0.006)


@pytest.mark.parametrize('gpu_cache', [False, True])
def test_the_losses_from_images_in_memory_are_those_from_files(plain_root, golden, gpu_cache):
    run = f'gpu_cache_{gpu_cache}'
    config = config_file(
        plain_root, run, {'augmentation': NO_AUGMENTATION, 'gpu_cache': gpu_cache}
    )
    train(config, 'ste-encoder', **{'ste_encoder.max_minutes': 0})
    train(config, 'ste-decoder', **{'ste_decoder.batch_size': 6, 'ste_decoder.epochs': 3})
    with golden('training.json', 'whole_set') as part:
        compare_losses(part, plain_root / run)


def test_the_losses_of_stage_1_are_the_golden_ones(plain_root, golden):
    train(config_file(plain_root, 'stage_1', {'augmentation': NO_AUGMENTATION}), 'ste-encoder')
    with golden('training.json', 'style_crops') as part:
        compare_losses(part, plain_root / 'stage_1')


def test_the_losses_with_augmentation_are_the_golden_ones(tmp_path, golden):
    write_data(tmp_path)
    train(config_file(tmp_path, 'run', {}, crop_px=64), 'all')
    with golden('training.json', 'augmented') as part:
        compare_losses(part, tmp_path / 'run')


@pytest.mark.parametrize('scale_source', ['fixed', 'reference', 'ground_plane'])
def test_the_figures_of_an_evaluation_are_the_golden_ones(tmp_path, golden, scale_source):
    write_planes(tmp_path / 'scenes')
    options = ['--camera_height_m', '1.5'] if scale_source == 'ground_plane' else []
    assert (
        main(
            [
                'evaluate',
                '--weights',
                'outdoor',
                '--dataset',
                'vkitti',
                '--root',
                str(tmp_path / 'scenes'),
                '--out',
                str(tmp_path / 'out'),
                '--pictures',
                '1',
                '--device',
                'cpu',
                '--scale_source',
                scale_source,
                *options,
            ]
        )
        == 0
    )
    results = json.loads((tmp_path / 'out/results.json').read_text())
    with golden('training.json', f'evaluated_{scale_source}') as part:
        for method in results['methods']:
            for name, value in numbers_in(method['mean'], method['name']):
                part.numbers(name, value, rtol=LOSS_RTOL, atol=1e-3)


def write_planes(root: Path) -> None:
    """Write two demo frames, each a world with the depth of a plane 1.5 m below the camera."""
    manifest = json.loads((DEMO_FRAMES / 'manifest.json').read_text())
    for world, entry in (('0001', manifest[0]), ('0002', manifest[2])):
        fx, fy, cx, cy = entry['K']
        bgr = cv2.imread(str(DEMO_FRAMES / entry['rgb']))
        below_px = np.arange(bgr.shape[0]) - cy
        depth_m = np.where(below_px > 0, 1.5 * fy / np.maximum(below_px, 1e-3), np.inf)
        centimetres = np.minimum(np.round(100 * depth_m), 65535).astype(np.uint16)
        for kind, image in (
            ('rgb', bgr),
            ('depthgt', np.repeat(centimetres[:, None], bgr.shape[1], axis=1)),
        ):
            folder = root / f'vkitti_1.3.1_{kind}' / world / 'clone'
            folder.mkdir(parents=True)
            cv2.imwrite(str(folder / '00000.png'), image)
        intrinsics = root / 'vkitti_1.3.1_intrinsicsgt' / f'{world}.txt'
        intrinsics.parent.mkdir(exist_ok=True)
        intrinsics.write_text(f'frame fx fy cx cy\n0 {fx} {fy} {cx} {cy}\n')


def numbers_in(tree: object, name: str):
    """Yield name and value of every number in nested dictionaries; lists are left out."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers_in(value, f'{name}/{key}')
    elif isinstance(tree, (int, float)):
        yield name, float(tree)
