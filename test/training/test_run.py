"""A run's folder: what is refused, what is kept, what is written whole or not at all."""

import collections
from dataclasses import replace
import errno
import json
import multiprocessing
import os
import signal
import time
import weakref

from PIL import Image
import pytest
from tiny_run import tiny_config, with_stage
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

from s2r_depth_training.engine import checkpoints, run_folder
from s2r_depth_training.engine.batches import batches_from
from s2r_depth_training.engine.checkpoints import load_result, save_whole
from s2r_depth_training.engine.ema import Ema
from s2r_depth_training.engine.fabric import resolved_precision
from s2r_depth_training.engine.muon import Muon
from s2r_depth_training.engine.stage import Stage
from s2r_depth_training.engine.training_log import TrainingLog
from s2r_depth_training.errors import TrainingError
from s2r_depth_training.settings.fabric import FabricSettings
from s2r_depth_training.stages import rgb_baseline


class Numbers:
    """A loader whose batches say which they are."""

    corrupt_files = frozenset()

    def state_dict(self):
        return {'images': 3}

    def load_state_dict(self, state):
        assert state == {'images': 3}

    def __len__(self):
        return 3

    def epoch(self, epoch, start_batch=0):
        yield from ((epoch, batch) for batch in range(start_batch, 3))


def stage_of(config, resume=False):
    return Stage('dsa', config, config.dsa, resume)


def track_layer(stage):
    layer = nn.Linear(1, 1)
    stage.track(Numbers(), layer=layer)
    return layer


def test_the_average_follows_the_weights_quickly_at_first():
    layer = nn.Linear(1, 1, bias=False)
    average = Ema(layer, decay=0.9)
    nn.init.constant_(layer.weight, 1.0)
    average.update_parameters(layer)  # the first is taken as it is
    nn.init.constant_(layer.weight, 0.0)
    average.update_parameters(layer)  # the decay of the second is (1 + 1) / (10 + 1)
    assert average.module.weight.item() == pytest.approx(2 / 11)


def test_without_decay_the_average_is_the_last_weights_and_statistics():
    norm = nn.BatchNorm1d(1)
    average = Ema(norm, decay=0.0)
    for value in (1.0, 5.0):
        norm.running_mean.fill_(value)
        average.update_parameters(norm)
    assert average.module.running_mean.item() == 5.0


def test_a_finished_stage_lets_go_of_what_it_tracked(tmp_path):
    with stage_of(tiny_config(tmp_path)) as stage:
        layer = weakref.ref(track_layer(stage))  # stands for gigabytes on a GPU
        assert layer() is not None
    assert layer() is None


@pytest.mark.parametrize('before', [float, torch.tensor])
@pytest.mark.parametrize('after', [float, torch.tensor])
def test_a_run_goes_on_whether_or_not_its_steps_are_recorded(tmp_path, before, after):
    # Recorded steps need rates that are tensors on the GPU; a tensor on the CPU stands for one.
    def tracked(stage, rate):
        weight = nn.Parameter(torch.zeros(4, 4))
        weight.grad = torch.eye(4)
        optimizer = Muon([weight], rate)
        schedule = StepLR(optimizer, step_size=1, gamma=0.5)
        stage.track(Numbers(), optimizer=optimizer, schedule=schedule)
        return optimizer, schedule

    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        optimizer, schedule = tracked(stage, before(0.1))
        optimizer.step()
        schedule.step()
        stage.save()
    with stage_of(config, resume=True) as stage:
        optimizer, schedule = tracked(stage, after(0.2))  # twice as fast from here on
        rate = optimizer.param_groups[0]['lr']
        assert type(rate) is type(after(0.2))
        assert float(rate) == pytest.approx(0.1)
        optimizer.step()
        schedule.step()
        assert float(optimizer.param_groups[0]['lr']) == pytest.approx(0.05)
        assert after is float or optimizer.param_groups[0]['lr'] is rate  # as a graph needs it


@pytest.mark.parametrize(
    ('flags', 'expected'),
    [
        ('fpu avx512_bf16 amx_bf16 amx_tile', 'bf16-mixed'),
        ('fpu avx512_bf16', 'bf16-mixed'),
        ('fpu avx2 avx512f', '32-true'),
    ],
)
def test_automatic_precision_is_bfloat16_where_the_cpu_computes_in_it(tmp_path, flags, expected):
    cpu_info = tmp_path / 'cpuinfo'
    cpu_info.write_text(f'processor : 0\nflags : {flags}\n')
    assert resolved_precision(FabricSettings('cpu', precision='auto'), cpu_info) == expected
    missing = tmp_path / 'none'
    assert resolved_precision(FabricSettings('cpu', precision='auto'), missing) == '32-true'
    given = FabricSettings('cpu', precision='bf16-mixed')
    assert resolved_precision(given, missing) == 'bf16-mixed'


def test_batches_go_on_where_a_step_would_be():
    batches = batches_from(Numbers(), step=4)
    assert [next(batches) for _ in range(4)] == [(1, 1), (1, 2), (2, 0), (2, 1)]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / 'checkpoint.pt'
    save_whole({'step': 1}, path)
    with pytest.raises(TrainingError, match='could not write'):
        save_whole({'step': 2}, tmp_path / 'missing' / 'checkpoint.pt')
    with pytest.raises(TypeError, match='step is a function'):
        save_whole({'step': lambda: None}, path)
    assert torch.load(path, weights_only=True) == {'step': 1}


def test_two_runs_in_one_folder_are_refused(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config), pytest.raises(TrainingError, match='another process'):
        with stage_of(config):
            pass
    with stage_of(config):  # and free again
        pass


def test_a_reading_process_does_not_hold_the_folder_of_one_that_has_ended(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config):
        reader = multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,))
        reader.start()
    try:
        with stage_of(config):
            pass
    finally:
        reader.kill()
        reader.join()


def run_with_signals(config, numbers):
    """Run ten steps, with signals in the third, and return the steps that were taken."""
    taken = []
    with stage_of(config) as stage:
        track_layer(stage)
        for step in stage.loop(range(10), 10):
            for number in numbers if step == 2 else ():
                signal.raise_signal(number)
            taken.append(step)
    return taken


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stage_after_the_step_and_nothing_is_lost(tmp_path, number):
    config, before = tiny_config(tmp_path), signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        run_with_signals(config, [number])
    assert signal.getsignal(number) == before
    with stage_of(config, resume=True) as stage:
        track_layer(stage)
        assert stage.step == 3


def test_a_process_that_reads_images_leaves_ctrl_c_to_the_trainer(tmp_path, capfd):
    with stage_of(tiny_config(tmp_path)) as stage:
        track_layer(stage)
        steps = stage.loop(range(10), 10)
        next(steps)
        reader = multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,))
        reader.start()
        os.kill(reader.pid, signal.SIGINT)
        time.sleep(0.2)
        assert reader.is_alive()
        reader.terminate()
        reader.join(60)
        assert reader.exitcode == 128 + signal.SIGTERM
        steps.close()
    assert 'stops after' not in capfd.readouterr().err


def test_a_second_signal_ends_the_stage_at_once(tmp_path):
    config = tiny_config(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_with_signals(config, [signal.SIGTERM] * 2)
    with stage_of(config, resume=True) as stage:
        track_layer(stage)
        assert stage.step == 0  # the first checkpoint


def test_an_unfinished_stage_is_refused_without_resume(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        track_layer(stage)
    with pytest.raises(TrainingError, match='--resume'):
        with stage_of(config):
            pass


def test_a_run_that_finds_no_checkpoint_says_that_it_begins_anew(tmp_path, capsys):
    for resume, times in ((True, 1), (True, 0)):
        with stage_of(tiny_config(tmp_path), resume) as stage:
            stage.track(Numbers())
        assert capsys.readouterr().err.count('dsa: begins anew, since there is no ') == times


def test_a_finished_stage_is_refused_and_kept(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        result = stage.finish(depth=track_layer(stage))
    content = result.read_bytes()
    with pytest.raises(TrainingError, match='finished'):
        with stage_of(config, resume=True):
            pass
    assert result.read_bytes() == content


def test_a_run_does_not_go_on_with_another_batch_size(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        track_layer(stage)
    other = with_stage(config, 'dsa', batch_size=2)
    with (
        stage_of(other, resume=True) as stage,
        pytest.raises(TrainingError, match='batch_size was 4 and is now 2'),
    ):
        track_layer(stage)


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        track_layer(stage)
    state = torch.load(stage.checkpoint_file, weights_only=True)
    del state['loader']
    torch.save(state, stage.checkpoint_file)
    with (
        stage_of(config, resume=True) as stage,
        pytest.raises(TrainingError, match='lacks loader, because another version'),
    ):
        track_layer(stage)


@pytest.mark.parametrize(
    'change',
    [
        lambda state: [1],
        lambda state: {'a': 1},
        lambda state: {**state, 'settings': [1]},
        lambda state: {**state, 'step': 'x'},
        lambda state: {**state, 'step': -5},
        lambda state: {**state, 'layer': {}},
        lambda state: {**state, 'layer': 3},
        lambda state: {**state, 'layer': {'weight': torch.ones(3, 3), 'bias': torch.ones(3)}},
        lambda state: {**state, 'optimizer': {}},
        lambda state: {**state, 'optimizer': {'state': {}, 'param_groups': []}},
    ],
)
def test_a_file_that_is_no_checkpoint_of_this_run_is_refused_and_kept(tmp_path, change):
    def track(stage):
        layer = nn.Linear(1, 1)
        stage.track(Numbers(), layer=layer, optimizer=torch.optim.SGD(layer.parameters(), 0.1))

    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        track(stage)
    torch.save(change(torch.load(stage.checkpoint_file, weights_only=True)), stage.checkpoint_file)
    content = stage.checkpoint_file.read_bytes()
    with (
        stage_of(config, resume=True) as stage,
        pytest.raises(TrainingError, match=r'checkpoint\.pt') as refusal,
    ):
        track(stage)
    assert len(str(refusal.value)) < 600
    assert stage.checkpoint_file.read_bytes() == content


@pytest.mark.parametrize('content', [b'[{', b'\xff'])
def test_a_damaged_list_of_the_starts_is_named_and_kept(tmp_path, content):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        track_layer(stage)
    file = stage.folder / 'environment.json'
    file.write_bytes(content)
    with (
        stage_of(config, resume=True) as stage,
        pytest.raises(TrainingError, match=r'environment\.json is damaged .*: repair'),
    ):
        track_layer(stage)
    assert file.read_bytes() == content


def test_a_run_goes_on_with_another_learning_rate_halved_as_often_as_before(tmp_path):
    def track(stage):
        optimizer = torch.optim.Adam(nn.Linear(1, 1).parameters(), stage.settings.learning_rate)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        stage.track(Numbers(), optimizer=optimizer, schedule=schedule)
        return optimizer, schedule

    config = with_stage(tiny_config(tmp_path), 'dsa', learning_rate=0.8)
    with stage_of(config) as stage:
        optimizer, schedule = track(stage)
        for _ in stage.loop(iter(range(9)), total_steps=3):
            optimizer.step()
            schedule.step()
    with stage_of(with_stage(config, 'dsa', learning_rate=0.08), resume=True) as stage:
        optimizer, schedule = track(stage)
        rates = []
        for _ in range(2):
            rates.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            schedule.step()
    assert rates == pytest.approx([0.04, 0.02])  # steps 3 and 4; the first halving was at 2


def test_a_file_about_the_run_is_never_half_written(tmp_path, monkeypatch):
    with stage_of(tiny_config(tmp_path)) as stage:
        track_layer(stage)
    file = stage.folder / 'settings.json'
    before = file.read_text()

    def power_cut(path, text, **_):  # which cannot be had here
        path.write_bytes(text[:10].encode())
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.Path, 'write_text', power_cut)
    with stage_of(tiny_config(tmp_path), resume=True) as stage, pytest.raises(KeyboardInterrupt):
        track_layer(stage)
    assert file.read_text() == before


def test_a_run_goes_on_with_more_epochs_and_other_stages_changed(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        layer = track_layer(stage)
        list(zip(range(5), stage.loop(iter(range(9)), total_steps=4)))
    other = with_stage(with_stage(config, 'dsa', epochs=50), 'ste_decoder', beta=3.0)
    with stage_of(other, resume=True) as stage:
        assert torch.equal(track_layer(stage).weight, layer.weight)
        assert stage.step == 4


def test_a_run_goes_on_if_more_images_may_be_corrupt(tmp_path):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        track_layer(stage)
        list(zip(range(5), stage.loop(iter(range(9)), total_steps=4)))
    lenient = replace(config, data=replace(config.data, max_corrupt_fraction=0.5))
    with stage_of(lenient, resume=True) as stage:
        track_layer(stage)
        assert stage.step == 4


def test_a_run_does_not_go_on_without_an_option_of_its_data_set(tmp_path):
    config = tiny_config(tmp_path)
    with_option = replace(config, data=replace(config.data, options={'variations': ['clone']}))
    with stage_of(with_option) as stage:
        track_layer(stage)
        list(zip(range(5), stage.loop(iter(range(9)), total_steps=4)))
    with stage_of(config, resume=True) as stage:
        with pytest.raises(TrainingError, match=r"data\.options\.variations was .*'clone'.* None"):
            track_layer(stage)


def test_every_process_follows_the_first_one_in_whether_there_is_a_checkpoint(
    tmp_path, monkeypatch
):
    config = tiny_config(tmp_path)
    with stage_of(config) as stage:
        track_layer(stage)
        list(zip(range(5), stage.loop(iter(range(9)), total_steps=4)))
    with stage_of(config, resume=True) as stage:
        # A second process, which looks only after the first has written step 0.
        monkeypatch.setattr(stage.fabric, 'broadcast', lambda value: False)
        track_layer(stage)
        assert stage.step == 0


def test_an_unwritable_run_folder_is_reported_at_once(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(TrainingError, match='cannot write to the run folder'):
        with stage_of(tiny_config(tmp_path, 'file/run')):
            pass


def test_a_full_disk_is_reported_before_training(tmp_path, monkeypatch):
    usage = collections.namedtuple('usage', 'total used free')  # a full disk cannot exist here
    monkeypatch.setattr(run_folder.shutil, 'disk_usage', lambda path: usage(100, 100, 0))
    with stage_of(tiny_config(tmp_path)) as stage, pytest.raises(TrainingError, match='free'):
        track_layer(stage)


def test_a_log_that_cannot_be_written_does_not_end_the_training(tmp_path, monkeypatch, caplog):
    def fill(picture, file):
        file.write_bytes(b'half a picture')
        raise OSError(errno.ENOSPC, 'No space left on device')

    log = TrainingLog(tmp_path, 0)
    monkeypatch.setattr(Image.Image, 'save', fill)
    for step in (1, 2):
        log.write_picture({'image': torch.zeros(1, 3, 8, 8)}, step)
    log.close()
    assert not any((tmp_path / 'pictures').iterdir())
    assert caplog.text.count('pictures or events are missing in') == 1


def test_a_loss_that_is_no_number_names_the_files_and_keeps_the_checkpoint(tmp_path):
    with stage_of(tiny_config(tmp_path)) as stage:
        track_layer(stage)
        before = stage.checkpoint_file.read_bytes()
        with pytest.raises(TrainingError, match=r'loss/depth = nan.*a\.png, b\.png'):
            stage.report({'loss/depth': torch.tensor(float('nan'))}, ['a.png', 'b.png'])
        assert stage.checkpoint_file.read_bytes() == before


def test_weights_that_are_no_numbers_never_reach_a_checkpoint(tmp_path):
    with stage_of(tiny_config(tmp_path)) as stage:
        layer = track_layer(stage)
        before = stage.checkpoint_file.read_bytes()
        nn.init.constant_(layer.weight, float('inf'))
        with pytest.raises(TrainingError, match='weights of layer'):
            stage.save()
        assert stage.checkpoint_file.read_bytes() == before


def test_a_time_limit_ends_the_loop_and_keeps_a_checkpoint(tmp_path):
    config = with_stage(tiny_config(tmp_path), 'dsa', max_minutes=0.0)
    with stage_of(config) as stage:
        track_layer(stage)
        assert list(stage.loop(iter(range(9)), total_steps=9)) == []
        assert stage.checkpoint_file.exists()


def test_the_folder_says_how_to_repeat_the_run(tmp_path):
    with stage_of(tiny_config(tmp_path)) as stage:
        track_layer(stage)
    with stage_of(tiny_config(tmp_path), resume=True) as stage:
        track_layer(stage)
    settings = json.loads((stage.folder / 'settings.json').read_text())
    starts = json.loads((stage.folder / 'environment.json').read_text())
    assert settings['dsa']['learning_rate'] == 1e-4
    assert settings['data']['augmentation']['max_rotation_deg'] == 5.0
    assert [start['seed'] for start in starts] == [1, 1]
    assert (starts[0]['device'], starts[0]['precision']) == ('cpu', '32-true')
    assert (
        starts[0]['packages']['torch'] == torch.__version__.partition('+')[0]
        or starts[0]['packages']['torch'] == torch.__version__
    )


def test_a_missing_result_names_the_stage_to_run(tmp_path):
    with pytest.raises(TrainingError, match='train that stage first'):
        load_result(tmp_path / 'ste_encoder' / 'result.pt', 'compact')


def test_a_result_of_another_architecture_is_refused(tmp_path):
    with stage_of(tiny_config(tmp_path)) as stage:
        result = stage.finish(depth=track_layer(stage))
    with pytest.raises(TrainingError, match='architecture'):
        load_result(result, 'paper', depth=nn.Linear(1, 1))


def test_a_result_of_another_stage_is_refused(tmp_path):
    with stage_of(tiny_config(tmp_path)) as stage:
        result = stage.finish(depth=track_layer(stage))
    with pytest.raises(TrainingError, match='no structure_encoder'):
        load_result(result, 'compact', structure_encoder=nn.Linear(1, 1))


@pytest.mark.parametrize(
    'changes',
    [
        {'modules': [1]},
        {'modules': {'depth': None}},
        {'modules': {'depth': {}}},
        {'modules': {'depth': {'weight': torch.ones(3, 3), 'bias': torch.ones(3)}}},
        {'provenance': 3},
    ],
)
def test_a_result_with_other_content_is_named_in_one_sentence(tmp_path, changes):
    with stage_of(tiny_config(tmp_path)) as stage:
        result = stage.finish(depth=track_layer(stage))
    torch.save({**torch.load(result, weights_only=True), **changes}, result)
    with pytest.raises(TrainingError, match=r'result\.pt') as refusal:
        load_result(result, 'compact', depth=nn.Linear(1, 1))
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize(
    'provenance',
    [
        {},
        {'stage': 'rgb_baseline'},
        {'stage': 'rgb_baseline', 'settings': '{'},
        {'stage': 'rgb_baseline', 'settings': '{"architecture": "huge", "data": {}}'},
    ],
)
def test_a_baseline_that_does_not_say_how_to_rebuild_it_is_named(tmp_path, provenance):
    torch.save(
        {'architecture': {}, 'modules': {}, 'provenance': provenance}, tmp_path / 'result.pt'
    )
    with pytest.raises(TrainingError, match=r'result\.pt'):
        rgb_baseline.load_predictor(tmp_path / 'result.pt')


def test_a_damaged_result_is_named(tmp_path):
    path = tmp_path / 'result.pt'
    path.write_bytes(b'nothing')
    with pytest.raises(TrainingError, match='damaged'):
        load_result(path, 'compact')


@pytest.mark.parametrize(
    ('setting', 'value'),
    [
        ('batch_size', 0),
        ('ema_decay', 1.0),
        ('learning_rate', 0.0),
        ('epochs', 0),
        ('log_every_steps', 0),
    ],
)
def test_a_setting_out_of_its_range_is_refused(tmp_path, setting, value):
    with pytest.raises(ValueError, match=setting):
        with_stage(tiny_config(tmp_path), 'dsa', **{setting: value})
