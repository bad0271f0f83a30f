"""
Training steps that are recorded and replayed.

CI has no GPU. There a recorder stands for the CUDA graph that runs the step again.
"""

from needed import GPU
import pytest
from tiny_run import tiny_config, with_stage, write_data
import torch

from s2r_depth_training.data import Batch
from s2r_depth_training.engine.cuda_graph import CudaGraphStep
from s2r_depth_training.engine.fabric import start_fabric
from s2r_depth_training.errors import TrainingError
from s2r_depth_training.settings.fabric import FabricSettings
from s2r_depth_training.stages import rgb_baseline

WARM_UP_RUNS = 3


def record(function):
    """Stand for ``record_cuda_graph``: warm up, and run again into the same results."""
    for _ in range(WARM_UP_RUNS):
        losses, maps = function()

    def replay():
        new_losses, new_maps = function()
        losses['loss'].copy_(new_losses['loss'])
        maps['seen'].copy_(new_maps['seen'])

    return (losses, maps), replay


def batch(value, count=2):
    image = torch.full((count, 3, 4, 4), float(value))
    return Batch(image, image[:, :1], image[:, :1] > 0, [str(value)] * count, [])


class Learner:
    """Counts what it learnt from."""

    def __init__(self):
        self.learnt = []

    def __call__(self, batch):
        self.learnt.append(batch.image.mean().item())
        return {'loss': batch.depth.mean()}, {'seen': batch.image.clone()}


def test_each_batch_is_learnt_from_in_turn():
    learner = Learner()
    step = CudaGraphStep(learner, 2, record)
    for value in (1, 2, 3):
        losses, maps = step(batch(value))
        assert losses['loss'] == value
        assert (maps['seen'] == value).all()
    assert learner.learnt == [1] * WARM_UP_RUNS + [1, 2, 3]


def test_a_batch_that_is_kept_by_others_is_not_written_to():
    first = batch(1)
    step = CudaGraphStep(Learner(), 2, record)
    step(first)
    step(batch(2))
    assert (first.image == 1).all()


@pytest.mark.parametrize('first', [2, 1])
def test_a_batch_of_another_size_is_learnt_from_as_it_is(first):
    learner = Learner()
    step = CudaGraphStep(learner, 2, record)
    step(batch(1, count=first))
    losses, maps = step(batch(5, count=1))
    assert losses['loss'] == 5
    assert maps['seen'].shape[0] == 1
    for value in (2, 3):
        losses, _ = step(batch(value))
        assert losses['loss'] == value
    assert learner.learnt[-1] == 3


def test_a_batch_of_another_shape_is_learnt_from_as_it_is():
    step = CudaGraphStep(Learner(), 2, record)
    step(batch(1))
    wide = batch(5)
    wide = wide._replace(image=torch.cat([wide.image, wide.image], dim=-1))
    losses, maps = step(wide)
    assert losses['loss'] == 5
    assert maps['seen'].shape[-1] == wide.image.shape[-1]
    assert step(batch(2))[0]['loss'] == 2


def test_recording_without_a_gpu_is_refused(tmp_path):
    with pytest.raises(TrainingError, match='cuda_graphs needs one GPU, and this run has 1 x cpu'):
        start_fabric(FabricSettings('cpu', cuda_graphs=True))


def test_recording_under_torchrun_is_refused(monkeypatch):
    monkeypatch.setenv('TORCHELASTIC_RUN_ID', 'none')
    with pytest.raises(TrainingError, match='one process without torchrun'):
        start_fabric(FabricSettings('cuda', cuda_graphs=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason=GPU)
@pytest.mark.parametrize('optimizer', ['adam', 'muon'])
def test_a_recorded_run_learns_as_one_that_is_not(tmp_path, optimizer):
    write_data(tmp_path)
    weights = []
    for recorded in (False, True):
        config = with_stage(
            tiny_config(tmp_path, f'run_{recorded}'),
            'rgb_baseline',
            optimizer=optimizer,
            epochs=20,
            learning_rate=1e-3,
        )
        config = config.__class__(
            **{**config.__dict__, 'fabric': FabricSettings('cuda', 1, cuda_graphs=recorded)}
        )
        result = torch.load(rgb_baseline.train(config), weights_only=True)
        weights.append(
            torch.cat([value.float().reshape(-1) for value in result['modules']['depth'].values()])
        )
    # The recorded one learns from its first batch three times more; untrained they are 0.9 apart.
    assert (weights[0] - weights[1]).norm() < 0.4 * weights[0].norm()
