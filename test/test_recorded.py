"""
The recorded network: static memory, a recording for each shape.

CI has no GPU. There a recorder stands for the CUDA graph that runs the function again and copies
into the same memory, which is what a replay does; the graph itself is tested where there is one.
"""

from needed import GPU
import numpy as np
import pytest
from tiny_network import tiny_network
import torch

from s2r_depth_ros import DepthPredictor, weights
from s2r_depth_ros.engine.cuda_graph import CudaGraphNetwork, record_cuda_graph
from s2r_depth_ros.engine.fusion import optimize_for_inference

CPU = torch.device('cpu')


class Recorder:
    """Stands for CUDA graphs where there is no GPU."""

    def __init__(self):
        self.recordings = self.replays = 0

    def __call__(self, function):
        self.recordings += 1
        maps = function()

        def replay():
            self.replays += 1
            for static, new in zip(maps, function()):
                if static is not None:  # nothing was judged
                    static.copy_(new)

        return maps, replay


@pytest.fixture
def network():
    return optimize_for_inference(tiny_network(seed=0), CPU)


def images(height, width, count=3):
    torch.manual_seed(1)
    return [torch.rand(1, 3, height, width) * 2 - 1 for _ in range(count)]


@torch.inference_mode()
def test_a_replay_gives_the_maps_of_the_image_at_hand(network):
    recorder = Recorder()
    recorded = CudaGraphNetwork(network, recorder)
    for image in images(96, 112):
        maps, expected = recorded(image, return_maps=True), network(image, return_maps=True)
        assert maps.judgement is expected.judgement is None
        for one, other in zip(maps[:-1], expected[:-1]):
            assert torch.equal(one, other)
        assert torch.equal(recorded(image), network(image))
    assert (recorder.recordings, recorder.replays) == (1, 6)


@torch.inference_mode()
def test_each_shape_has_memory_of_its_own_that_stays(network):
    recorder = Recorder()
    recorded = CudaGraphNetwork(network, recorder)
    first, second = images(96, 112, 2)
    kept = recorded(first)
    expected = kept.clone()
    recorded(images(96, 96, 1)[0])
    recorded(torch.cat([first, second]))
    assert torch.equal(kept, expected)  # other shapes leave it alone
    again = recorded(second)
    assert again.data_ptr() == kept.data_ptr()
    assert not torch.equal(kept, expected)
    assert recorder.recordings == 3


@torch.inference_mode()
def test_a_camera_that_changes_its_size_for_ever_does_not_fill_the_memory(network):
    recorder = Recorder()
    recorded = CudaGraphNetwork(network, recorder)
    for width in range(96, 96 + 16 * 10, 16):
        recorded(images(96, width, 1)[0])
    assert recorder.recordings == 10
    assert len(recorded._recordings) < 10


@torch.inference_mode()
def test_the_predictor_is_done_with_the_maps_before_the_next_replay():
    info = weights.WeightsInfo(80.0, 100.0, 96, 128)
    predictor = DepthPredictor(tiny_network(seed=0), info, 'cpu')
    rng = np.random.default_rng(0)
    # Three sizes at the network, two of which come twice; two shapes of batches.
    pictures = [
        rng.integers(0, 256, (*size_px, 3), np.uint8)
        for size_px in ((96, 128), (200, 100), (192, 256), (96, 300), (90, 280))
    ]
    expected = predictor.predict(pictures)
    predictor.engine.network = CudaGraphNetwork(predictor.engine.network, Recorder())
    for _ in range(2):
        for one, other in zip(predictor.predict(pictures), expected):
            assert np.array_equal(one, other)


def test_without_a_gpu_there_are_no_graphs_and_no_error():
    predictor = DepthPredictor('random', 'cpu', cuda_graphs=True, engine='torch')
    assert not isinstance(predictor.engine.network, CudaGraphNetwork)


@pytest.mark.skipif(not torch.cuda.is_available(), reason=GPU)
@torch.inference_mode()
def test_a_cuda_graph_gives_the_maps_of_the_image_at_hand():
    network = optimize_for_inference(tiny_network(seed=0), torch.device('cuda'))
    recorded = CudaGraphNetwork(network, record_cuda_graph)
    for image in images(96, 112):
        image = image.cuda()
        assert torch.allclose(recorded(image), network(image), atol=1e-3)
