"""A bag of `s2r bag`, played into a ROS graph: what rviz and `s2r view` get of it."""

from pathlib import Path

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_graph import Graph
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from test_cli_bag import write_bag
from view_process import CameraImage

from s2r_depth_ros.cli import main
from s2r_depth_ros.cli.recorder import cloud_arrays
from s2r_depth_ros.ros.outputs import ATTENTION, COLOR, DEPTH, INFO, POINTS, STRUCTURE

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
TOPICS = {
    f'/left/{output}': kind
    for output, kind in (
        (DEPTH, Image),
        (INFO, CameraInfo),
        (POINTS, PointCloud2),
        (COLOR, Image),
        (STRUCTURE, Image),
        (ATTENTION, Image),
    )
}


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Return a bag to which `s2r bag` added the depth of its camera /left."""
    folder = tmp_path_factory.mktemp('playback')
    write_bag(folder / 'in', 3)
    outputs = [topic.rpartition('/')[2] for topic in TOPICS]
    assert (
        main(
            [
                'bag',
                str(folder / 'in'),
                str(folder / 'out'),
                '--image',
                '/left/image_raw',
                '--outputs',
                *outputs,
            ]
        )
        == 0
    )
    return folder / 'out'


@pytest.fixture(autouse=True)
def _the_player_is_found(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parent))


def test_a_played_bag_looks_as_if_the_node_had_run(bag, tmp_path):
    with Graph(tmp_path) as graph:
        # The node's topics are reliable: a subscriber that asks for that must get them.
        received = {topic: graph.collect(kind, topic, RELIABLE) for topic, kind in TOPICS.items()}
        images = graph.collect(Image, '/left/image_raw', RELIABLE)
        player = graph.start('bag_player', str(bag), '/left/image_raw', *TOPICS)
        graph.wait(lambda: not player.is_running, 'end of the bag')
        assert player.wait() == 0, player.output
        graph.wait(
            lambda: all(len(each) == 3 for each in (images, *received.values())),
            'three messages on each topic',
        )
    for number, image in enumerate(images):
        one = {
            topic.removeprefix('/left/'): messages[number] for topic, messages in received.items()
        }
        assert {
            (each.header.stamp.sec, each.header.stamp.nanosec, each.header.frame_id)
            for each in one.values()
        } == {(100 + number, 7, 'left_eye')}
        assert image.header == one[DEPTH].header
        assert {(each.height, each.width) for each in one.values()} == {(120, 160)}
        depth_m = np.frombuffer(one[DEPTH].data, np.float32).reshape(120, 160)
        points_m, _ = cloud_arrays(one[POINTS])
        is_known = np.isfinite(depth_m)
        assert is_known.mean() > 0.1
        np.testing.assert_array_equal(np.isfinite(points_m[..., 2]), is_known)
        np.testing.assert_array_equal(points_m[is_known, 2], depth_m[is_known])
        k = one[INFO].k
        rows, columns = np.nonzero(is_known)
        np.testing.assert_allclose(
            points_m[is_known, 0] / points_m[is_known, 2] * k[0] + k[2], columns, atol=0.01
        )


def test_the_view_shows_a_played_bag(bag, tmp_path):
    with (
        Graph(tmp_path) as graph,
        CameraImage(
            '--camera',
            'left',
            '--image',
            '/left/image_raw',
            '--no-foxglove',
            domain_id=graph.domain_id,
        ) as view,
    ):
        topics = [f'/left/{output}' for output in (COLOR, STRUCTURE, ATTENTION)]

        def shows_all(news):
            if set(news['pictures'] or ()) == {'image', COLOR, STRUCTURE, ATTENTION}:
                return True
            # Once more: images are best effort, the first can come before the view listens.
            player = graph.start('bag_player', str(bag), '/left/image_raw', *topics)
            assert player.wait() == 0, player.output
            return False

        news = view.wait_for(shows_all)
        assert news['number'] >= 1
        assert news['status']['latency_ms'] is None  # the stamps are of another clock
