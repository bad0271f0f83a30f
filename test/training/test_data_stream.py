"""Scenes that are rendered beside the training: the same batches however the processes fare."""

from collections import Counter
from dataclasses import replace
import itertools
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from model_files import box_visual, write_model
import numpy as np
import pytest
from tiny_run import logged, tiny_config, with_stage, write_yaml
import torch

from s2r_depth_ros.engine.contrast import equalize
from s2r_depth_training.data import Augmentation, DataError, SceneStream
from s2r_depth_training.data.stream import Schedule
from s2r_depth_training.engine.batches import batches_from
from s2r_depth_training.settings.data import ScenesSettings
from s2r_depth_training.stages import ste_decoder
from s2r_scenes.generate import Frame, Job, render_frames, render_scenes

SIZE_PX = (32, 48)
PLAIN = ScenesSettings(
    frames_per_scene=2, backend='embree', supersample=1, pool_frames=12, reuse=3, epoch_images=20
)
TINY_JOB = Job('driving', 2, 48, 32, 0, ('clone',), 'one', 'embree', 1)


def painted(job, world):
    """Render nothing, quickly: the pictures tell the scene."""
    rng = np.random.default_rng(int(world))
    for number in range(job.frames_per_scene):
        shape = job.height_px, job.width_px
        image = rng.integers(0, 255, (*shape, 3), np.uint8)
        depth_m = rng.uniform(1, 50, shape).astype(np.float32)
        yield Frame('clone', number, image, depth_m, np.diag([40.0, 40.0, 1.0]))


def painted_but_for_scene_3(job, world):
    if world == '0003':
        raise ValueError('a broken mesh')
    yield from painted(job, world)


def none(job, world):
    raise ValueError('no model')


def deadly_scene_3(job, world):
    if world == '0003':
        os.kill(os.getpid(), signal.SIGKILL)
    yield from painted(job, world)


def make(settings=PLAIN, **options):
    return SceneStream(
        settings,
        **{
            'size_px': SIZE_PX,
            'max_depth_m': 80.0,
            'training_focal_px': 40.0,
            'augmentation': Augmentation(max_noise=5, crop_scale=(0.5, 1.0)),
            'batch_size': 4,
            'seed': 7,
            'render': painted,
            **options,
        },
    )


def take(stream, count, step=0):
    try:
        return list(itertools.islice(batches_from(stream, step), count))
    finally:
        stream.close()


def equal(these, those):
    return len(these) == len(those) and all(
        a.names == b.names and all(torch.equal(x, y) for x, y in zip(a[:3], b[:3]))
        for a, b in zip(these, those)
    )


def test_each_frame_is_used_so_often_and_never_twice_in_a_round():
    schedule = Schedule(4, 3, 0, 0)
    uses = schedule.uses(0, schedule.start(9))
    assert [schedule.start(number) for number in range(6)] == [0, 4, 12, 24, 36, 48]
    assert len(set(uses)) == len(uses)
    count = Counter(frame for _, frame in uses)
    assert {count[frame] for frame in range(7 * 4)} == {3}
    assert all(schedule.uses(k, 5) == uses[k : k + 5] for k in range(60))


def test_the_batches_do_not_depend_on_the_number_of_processes():
    assert equal(take(make(workers=1), 30), take(make(workers=3), 30))


@pytest.mark.parametrize('step', [1, 4, 7, 13])
def test_batches_from_a_step_on_are_those_of_an_undisturbed_run(step):
    whole = take(make(), 22)
    assert equal(take(make(), 22 - step, step), whole[step:])


def test_batches_have_the_contrast_that_the_network_sees():
    still = Augmentation(color_probability=0, rotation_probability=0)
    plain, equalized = (
        take(make(augmentation=still, contrast_limit=limit), 1)[0] for limit in (0.0, 4.0)
    )
    for image, expected in zip(plain.image, equalized.image):
        pixels = ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        seen = torch.from_numpy(equalize(pixels, 4.0)).permute(2, 0, 1) / 127.5 - 1
        torch.testing.assert_close(seen, expected)
    assert not torch.equal(plain.image, equalized.image)


def test_batches_have_the_sizes_that_the_settings_name():
    settings = replace(PLAIN, sizes_px=[(96, 160), (128, 112)])
    batches = take(make(settings), 12)
    assert {tuple(batch.image.shape[2:]) for batch in batches} == {(96, 160), (128, 112)}
    assert all(batch.image.shape[2:] == batch.depth.shape[2:] for batch in batches)
    assert equal(take(make(settings, workers=3), 12), batches)


def test_a_share_of_the_scenes_has_models(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    write_model(tmp_path, 'crate', [box_visual('1 1 1')])
    settings = replace(PLAIN, models=[str(tmp_path)], models_share=0.5)
    stream = make(settings)
    recipe = stream._recipe
    assert [bool(job.models) for job in recipe.jobs] == [True, False]
    assert recipe.shares == (0.5, 0.5)
    with pytest.raises(DataError, match='models'):
        make(PLAIN).load_state_dict(stream.state_dict())


def test_a_share_of_the_scenes_is_seen_by_any_camera():
    recipe = make(replace(PLAIN, cameras='any', any_share=0.75))._recipe
    assert [job.cameras for job in recipe.jobs] == ['any', 'ordinary']
    assert recipe.shares == (0.75, 0.25)
    assert [job.cameras for job in make(replace(PLAIN, cameras='any'))._recipe.jobs] == ['any']


def test_the_frames_are_those_that_render_scenes_writes(tmp_path):
    render_scenes(
        tmp_path,
        scenes=1,
        frames_per_scene=2,
        width_px=48,
        height_px=32,
        workers=1,
        variations=['clone'],
        backend='embree',
        supersample=1,
    )
    import cv2

    frames = list(render_frames(TINY_JOB, '0001'))
    assert len(frames) == 2
    for frame in frames:
        file = tmp_path / f'vkitti_1.3.1_rgb/0001/clone/{frame.number:05d}.png'
        assert np.array_equal(cv2.imread(str(file))[..., ::-1], frame.image)


def test_real_scenes_of_both_kinds_come_with_valid_depth():
    settings = replace(PLAIN, kinds={'driving': 1, 'indoor': 1})
    batches = take(make(settings, render=render_frames), 4)
    assert {name.split('/')[0] for batch in batches for name in batch.names} == {
        'driving',
        'indoor',
    }
    assert all(batch.valid_mask.any() and batch.image.std() > 0.1 for batch in batches)


def test_a_worker_that_dies_is_replaced_and_its_scene_rendered_again():
    stream = make(workers=2)
    batches = []
    try:
        for batch in itertools.islice(batches_from(stream, 0), 30):
            batches.append(batch)
            if len(batches) in (3, 11):
                stream._renderers._crew[0].process.kill()
    finally:
        stream.close()
    assert equal(batches, take(make(), 30))
    assert not stream.corrupt_files


@pytest.mark.parametrize('render', [painted_but_for_scene_3, deadly_scene_3])
def test_a_scene_that_cannot_be_rendered_is_named_and_replaced(render):
    stream = make(render=render)
    whole = take(stream, 14)
    (message,) = stream.corrupt_files
    assert 'driving 0003 (seed 7) cannot be rendered' in message
    assert all(len(batch.names) == 4 for batch in whole)
    assert not any('/0003/' in name for batch in whole for name in batch.names)
    assert equal(take(make(render=render, workers=2), 9, 5), whole[5:])


def test_too_many_scenes_that_cannot_be_rendered_end_the_run():
    with pytest.raises(DataError, match='2 scenes cannot be rendered, more than the 1.*no model'):
        take(make(render=none), 1)


def test_the_ranks_have_scenes_of_their_own():
    names = [
        {name for batch in take(make(rank=rank, world_size=2), 9) for name in batch.names}
        for rank in (0, 1)
    ]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_a_run_does_not_go_on_with_another_number_of_training_processes():
    with pytest.raises(DataError, match="'processes': 2"):
        make(world_size=2).load_state_dict(make().state_dict())


def children_of(pid):
    return [
        int(child)
        for task in Path(f'/proc/{pid}/task').glob('*/children')
        for child in task.read_text().split()
    ]


def wait_until(condition, limit_s=120):
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.1)


def is_running(pid):
    """Return whether a process is there; a dead one that nobody waited for is not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_processes_end_with_a_trainer_that_is_killed():
    script = (
        'import sys, time\n'
        f'sys.path.insert(0, {str(Path(__file__).parent)!r})\n'
        'if __name__ == "__main__":\n'
        '    import test_data_stream as t\n'
        '    stream = t.make(workers=2)\n'
        '    next(stream.epoch(0))\n'
        '    print("ready", flush=True)\n'
        '    time.sleep(600)\n'
    )
    with subprocess.Popen(
        [sys.executable, '-c', script], stdout=subprocess.PIPE, text=True
    ) as trainer:
        try:
            assert trainer.stdout.readline() == 'ready\n'
            children = children_of(trainer.pid)
            assert len(children) >= 2
        finally:
            trainer.kill()
    wait_until(lambda: not any(map(is_running, children)))


def scenes_run(root, run, **settings):
    config = tiny_config(root, run)
    scenes = replace(PLAIN, epoch_images=24)
    data = replace(config.data, dataset='scenes', scenes=scenes, workers=1)
    return with_stage(replace(config, data=data), 'ste_decoder', train_encoder=True, **settings)


def test_a_resumed_run_has_the_losses_of_an_undisturbed_one(tmp_path):
    ste_decoder.train(scenes_run(tmp_path, 'whole'))
    ste_decoder.train(scenes_run(tmp_path, 'cut', epochs=0.5))
    (tmp_path / 'cut/ste_decoder/result.pt').unlink()  # as if cut off after the checkpoint
    ste_decoder.train(scenes_run(tmp_path, 'cut', epochs=1.0), resume=True)
    whole, cut = (logged(tmp_path / run / 'ste_decoder', 'loss/depth') for run in ('whole', 'cut'))
    assert sorted(whole) == [1, 2, 3, 4, 5, 6]
    assert cut == whole


def test_a_pool_that_is_smaller_than_a_batch_is_refused():
    with pytest.raises(ValueError, match='pool_frames is 3, and a batch has 4 images'):
        make(replace(PLAIN, pool_frames=3))


@pytest.mark.slow
def test_all_stages_learn_from_rendered_scenes(tmp_path):
    from tiny_run import write_data

    from s2r_depth_training import cli

    write_data(tmp_path)  # for its style images
    scenes = {
        'kinds': {'driving': 0.5, 'indoor': 0.5},
        'frames_per_scene': 2,
        'backend': 'embree',
        'supersample': 1,
        'pool_frames': 8,
        'epoch_images': 8,
    }
    file = write_yaml(
        tmp_path / 'run.yaml', tmp_path, data={'dataset': 'scenes', 'scenes': scenes}
    )
    cli.main(['all', '--config', str(file)])
    assert (tmp_path / 'run/weights.safetensors').exists()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'kinds': {'lunar': 1.0}}, 'driving, indoor'),
        ({'kinds': {'driving': 0.0}}, 'above 0'),
        ({'variations': ['snow']}, 'variations must be some of'),
        ({'kinds': {'world': 1.0}}, 'need models'),
        ({'sizes_px': [(100, 200)]}, 'multiples of 16'),
        ({'models_share': 1.5}, 'models_share must be'),
        ({'reuse': 0}, 'reuse must be at least 1'),
    ],
)
def test_settings_that_render_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ScenesSettings(**settings)
