"""What goes wrong on a robot sooner or later, provoked; nothing but the faulty frame is lost."""

from array import array
from collections import Counter
from contextlib import contextmanager
import os
import resource
import signal
import subprocess
import sys
import time
import weakref

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph, next_domain_id, PATIENCE_S, ros_arguments
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from tiny_network import write_tiny_weights
import torch

from s2r_depth_ros.cli import demo, ToolError
from s2r_depth_ros.node import camera as camera_module
from s2r_depth_ros.node.camera import ReceivedImage
from s2r_depth_ros.node.depth_node import DepthNode
from s2r_depth_ros.ros.messages import depth_to_image

NODE = 's2r_depth_ros.node.depth_node'
WIDTH, HEIGHT = 64, 48


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_weights(tmp_path)


@pytest.fixture
def graph(tmp_path):
    with Graph(tmp_path) as graph:
        yield graph


class Camera:
    """Publishes images one by one and collects depth and clouds."""

    def __init__(self, graph, name='camera'):
        self.graph = graph
        self.stamp_s = 0
        self._image = graph.publisher(Image, f'{name}/image', qos_profile_sensor_data)
        self.info = graph.publisher(CameraInfo, f'{name}/camera_info', qos_profile_sensor_data)
        self.depths = graph.collect(Image, f'{name}/depth/image')
        self.clouds = graph.collect(PointCloud2, f'{name}/depth/points')

    def send(self):
        """Send an image, a second after the one before."""
        self.stamp_s += 1
        self._image.publish(image(self.stamp_s))

    def serve(self, stamp_s=None):
        """Send images until the depth of one comes, as a camera that goes on would."""
        self.stamp_s = first_s = self.stamp_s if stamp_s is None else stamp_s

        def new():
            return [
                each for each in self.depths if first_s < each.header.stamp.sec <= self.stamp_s
            ]

        self.depths.clear()
        return self.graph.wait(new, 'depth', repeat=self.send)[0]


def image(stamp_s):
    message = Image(width=WIDTH, height=HEIGHT, encoding='mono8', step=WIDTH)
    message.data = array('B', os.urandom(WIDTH * HEIGHT))
    message.header.stamp.sec = stamp_s
    return message


def camera_info(width=WIDTH):
    return CameraInfo(
        width=width,
        height=HEIGHT,
        distortion_model='plumb_bob',
        k=[60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0],
    )


def change(graph, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    return graph.call(ChangeState, '/depth_node/change_state', request).success


def test_weights_that_change_or_vanish_do_not_matter_until_they_are_loaded_again(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny, threads=1))
    camera = Camera(graph)
    camera.serve()
    content = tiny.read_bytes()
    for damage in (
        lambda: tiny.open('r+b').write(bytes(len(content))),
        lambda: os.truncate(tiny, 0),  # in place: the death of who has the file mapped
        tiny.unlink,
    ):
        damage()
        camera.serve()
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert change(graph, transition)
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    assert f'cannot configure: no weights at {tiny}' in process.output
    tiny.write_bytes(content)
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert change(graph, transition)
    Camera(graph).serve(camera.stamp_s)
    assert process.stop() == 0


def test_of_two_nodes_with_one_name_each_serves_and_outlives_the_other(graph, tiny):
    first, second = (graph.start(NODE, *ros_arguments(weights=tiny, threads=1)) for _ in range(2))
    graph.wait(lambda: graph.node.count_publishers('camera/depth/image') == 2, 'both')
    camera = Camera(graph)
    graph.wait(
        lambda: 2 in Counter(each.header.stamp.sec for each in camera.depths).values(),
        'the depth of both',
        repeat=camera.send,
    )
    assert first.stop() == 0
    camera.serve()
    assert second.stop() == 0


def test_a_camera_info_may_come_late_and_for_another_size(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny, threads=1))
    camera = Camera(graph)
    camera.serve()
    assert not camera.clouds

    def send(width_px=WIDTH):
        camera.info.publish(camera_info(width_px))
        camera.send()

    graph.wait(lambda: camera.clouds, 'a cloud', repeat=send)
    # As when a driver changes its mode.
    graph.wait(
        lambda: 'camera_info is for 128 x 48 pixels' in process.output,
        'the reason',
        repeat=lambda: send(WIDTH * 2),
    )
    camera.send()
    dropped_s = camera.stamp_s
    graph.spin(0.5)
    assert dropped_s not in {each.header.stamp.sec for each in camera.depths}
    graph.wait(lambda: camera.depths[-1].header.stamp.sec > dropped_s, 'depth again', repeat=send)


def test_simulated_time_may_jump_backwards(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny, threads=1, use_sim_time='true'))
    found = graph.collect(DiagnosticArray, '/diagnostics')
    clock = graph.node.create_publisher(Clock, '/clock', 10)
    camera = Camera(graph)
    for now_s in (1000, 2000, 5, 0):
        found.clear()
        # The period of the diagnostics is one of steady time; it goes on.
        graph.wait(
            lambda now_s=now_s: any(m.header.stamp.sec == now_s for m in found),
            'diagnostics of that time',
            repeat=lambda now_s=now_s: clock.publish(Clock(clock=Time(sec=now_s))),
        )
        camera.serve(now_s)
    assert process.stop() == 0


STUCK_SUBSCRIBER = """
import sys
import rclpy
from sensor_msgs.msg import Image, PointCloud2
rclpy.init()
node = rclpy.create_node('viewer')
for kind, topic in ((Image, 'camera/depth/image'), (PointCloud2, 'camera/depth/points')):
    node.create_subscription(kind, topic, lambda message: print('got', flush=True), 10)
rclpy.spin(node)
"""


def test_a_subscriber_that_hangs_does_not_hold_the_node_back(graph, tiny, tmp_path):
    process = graph.start(NODE, *ros_arguments(weights=tiny, threads=1))
    log = tmp_path / 'viewer.log'
    with log.open('w') as output:
        viewer = subprocess.Popen(
            [sys.executable, '-c', STUCK_SUBSCRIBER],
            stdout=output,
            env={**os.environ, 'ROS_DOMAIN_ID': str(graph.domain_id)},
        )
    try:
        camera = Camera(graph)
        camera.info.publish(camera_info())
        graph.wait(lambda: camera.serve() and log.read_text(), 'the viewer')
        viewer.send_signal(signal.SIGSTOP)
        for _ in range(40):  # more than any queue holds
            camera.serve()
        assert process.stop() == 0
    finally:
        viewer.send_signal(signal.SIGCONT)
        viewer.send_signal(signal.SIGINT)  # killed, it would leave its shared memory behind
        viewer.wait(PATIENCE_S)


class Flaky(torch.nn.Module):
    """
    Stands for a network on a GPU whose memory others take, which cannot be had in a test.

    :param network: does the work as long as there is memory.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.most_images = 100
        self.error = torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB')
        self.tried = []

    def forward(self, batch, return_maps):
        self.tried.append(len(batch))
        if len(batch) > self.most_images:
            raise self.error
        return self.network(batch, return_maps=return_maps)


class Rig:
    """A node with four cameras in this process, whose network a test can trouble."""

    def __init__(self, weights_file):
        self.context = Context()
        rclpy.init(context=self.context, domain_id=next_domain_id())
        self.cameras = ['a', 'b', 'c', 'd']
        values = {
            'weights': str(weights_file),
            'device': 'cpu',
            'engine': 'torch',
            'threads': 1,
            'cameras': self.cameras,
        }
        self.node = DepthNode(
            context=self.context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        self.node.autostart()
        self.flaky = Flaky(self.node._predictor.engine.network)
        self.node._predictor.engine.network = self.flaky
        self._listener = rclpy.create_node('listener', context=self.context)
        self.depths = Counter()
        for camera in self.cameras:
            self._listener.create_subscription(
                Image,
                f'{camera}/depth/image',
                lambda message, camera=camera: self.depths.update([camera]),
                10,
            )
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self._listener)
        self._stamp_s = 0
        self.wait(
            lambda: all(
                'depth/image' in camera.subscribed_outputs()
                for camera in self.node._cameras.values()
            )
        )

    def batch(self):
        """Hand the node a frame of each camera, as one batch; return what it tried and lost."""
        self.flaky.tried.clear()
        before = self._counts()
        self._stamp_s += 1
        # All at once, which the topics cannot promise: the batch is what is tested.
        self.node._worker._process({camera: self._received(camera) for camera in self.cameras})
        return self.flaky.tried, self._counts() - before

    def _received(self, camera):
        self.node._cameras[camera].counters.count_received()
        return ReceivedImage(image(self._stamp_s), time.monotonic())

    def _counts(self):
        counts = Counter()
        for camera in self.node._cameras.values():
            counters = camera.counters
            counts += Counter(counters.dropped) + Counter(
                published=counters.published, received=counters.received
            )
        return counts

    def status(self):
        return self.node._network.status('/node', 'active', {}, '')

    def wait(self, condition):
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s
            self._executor.spin_once(timeout_sec=0.05)

    def close(self):
        self.node.close()
        self._executor.shutdown()
        self.node.destroy_node()
        self._listener.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def rig(tiny):
    rig = Rig(tiny)
    yield rig
    rig.close()


def test_out_of_memory_halves_the_batch_then_costs_frames_then_is_an_error(rig):
    assert rig.batch() == ([4], Counter(received=4, published=4))
    rig.flaky.most_images = 2
    assert rig.batch() == ([4, 2, 2], Counter(received=4, published=4))
    assert rig.status().level == DiagnosticStatus.OK
    rig.flaky.most_images = 0
    assert rig.batch() == ([4, 2, 1, 1, 2, 1, 1], Counter(received=4, network_failed=4))
    assert rig.status().level == DiagnosticStatus.ERROR
    assert 'OutOfMemoryError: CUDA out of memory' in rig.status().message
    rig.flaky.most_images = 100  # the memory is back
    assert rig.batch() == ([4], Counter(received=4, published=4))
    assert rig.status().level == DiagnosticStatus.OK


def test_an_exception_in_the_network_costs_the_frame_that_raised_it(rig):
    rig.flaky.most_images = 0
    rig.flaky.error = RuntimeError('a kernel\nfailed ' + 'x' * 100_000)
    assert rig.batch()[1] == Counter(received=4, network_failed=4)
    assert len(rig.status().message) < 1000
    rig.flaky.most_images = 100
    assert rig.batch()[1] == Counter(received=4, published=4)
    rig.wait(lambda: all(rig.depths[camera] == 1 for camera in rig.cameras))


def test_a_fault_that_goes_on_warns_once_a_period(rig, monkeypatch, capfd):
    monkeypatch.setattr(camera_module, 'WARNING_PERIOD_S', 3600.0)
    for _ in range(3):
        rig.node._cameras['a'].drop('bad_step', 'step 3')
    rig.node._cameras['b'].drop('bad_step', 'step 3')
    warnings = [line for line in ''.join(capfd.readouterr()).splitlines() if 'bad_step' in line]
    assert [line.count('a/image') for line in warnings] == [1, 0]


def test_what_the_failed_batch_held_in_memory_is_free_before_the_halves_run(rig):
    batches, alive = [], []

    class Watched(torch.nn.Module):
        def forward(self, batch, return_maps):
            alive.append(sum(each() is not None for each in batches))
            batches.append(weakref.ref(batch))
            raise torch.OutOfMemoryError('CUDA out of memory')

    rig.node._predictor.engine.network = Watched()
    rig.batch()
    assert alive == [0] * 7


def test_a_reference_of_an_image_outlasts_those_that_come_while_the_image_waits(rig):
    def reference(stamp_s):
        return depth_to_image(
            np.full((2, 2), stamp_s, np.float32), Header(stamp=Time(sec=stamp_s)), '32FC1'
        )

    camera, waiting = rig.node._cameras['a'], []
    camera._put = waiting.append
    camera._on_reference(reference(5))
    camera._on_image(image(5))
    for stamp_s in range(6, 26):
        camera._on_reference(reference(stamp_s))
    (received,) = waiting
    found = camera.reference_for(camera.read(received.message), received.reference)
    assert (found.depth_m == 5).all()
    later = camera.reference_for(camera.read(image(25)), received.reference)
    assert (later.depth_m == 25).all()


def test_publishers_speak_only_while_the_node_is_active(rig):
    """Another node may still have the topic open, and must get nothing."""
    camera = rig.node._cameras['a']

    def are_enabled():
        return {publisher.is_activated for publisher in camera._publishers.values()}

    assert are_enabled() == {True}
    rig.node.trigger_deactivate()
    assert are_enabled() == {False}
    camera.publish('depth/image', image(1))
    rig.node.trigger_activate()
    camera.publish('depth/image', image(2))
    rig.wait(lambda: rig.depths['a'])
    assert rig.depths['a'] == 1
    rig.node.trigger_deactivate()
    rig.node.trigger_cleanup()
    assert not camera._publishers


@contextmanager
def full_disk():
    """
    Let every write fail beyond a few bytes a file: no disk is filled here for real.

    It holds for this whole process, whose output may go to a file, too: keep it short.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_fills_while_the_demo_writes_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(ToolError, match='cannot write .*demo: File too large'), full_disk():
        with demo._staging_folder(tmp_path / 'demo') as folder:
            (folder / 'cloud.ply').write_bytes(bytes(5000))
    assert list(tmp_path.iterdir()) == []
