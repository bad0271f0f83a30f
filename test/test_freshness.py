"""
However fast the cameras and however slow the network, what is published is new.

The network here takes as long as the test wants, so that ages are counted in runs of the network
and do not depend on the machine: an image that arrived while run k was under way is in run k + 1
if it is the newest of its camera, else in none. So no depth is older than two runs.
"""

from __future__ import annotations

import queue
import threading

import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph, PATIENCE_S
from sensor_msgs.msg import Image

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth import pipeline
from s2r_depth_ros.depth.predictor import Prediction
from s2r_depth_ros.node import depth_node
from s2r_depth_ros.ros.message_types import Header
from s2r_depth_ros.ros.messages import pixels_to_image

RUNS = 4
SIZE_PX = (96, 96)


class SlowPredictor(DepthPredictor):
    """Stands for a slow network: tells which images it got, and waits until it may finish."""

    started: queue.Queue
    may_finish: threading.Semaphore

    def warm_up(self):
        pass

    def run(self, images, intrinsics=None, with_maps=False, judged=False, sharp_edges=True):
        self.started.put(sorted(int(image[0, 0, 0]) for image in images))
        assert self.may_finish.acquire(timeout=PATIENCE_S)
        return [Prediction(np.full(SIZE_PX, 5.0, np.float32)) for _ in images]


@pytest.fixture
def slow(monkeypatch):
    SlowPredictor.started, SlowPredictor.may_finish = queue.Queue(), threading.Semaphore(0)
    monkeypatch.setattr(pipeline, 'DepthPredictor', SlowPredictor)
    yield SlowPredictor
    SlowPredictor.may_finish.release(100)


@pytest.mark.parametrize('cameras', [1, 2, 4])
@pytest.mark.parametrize('images_per_run', [1, 7])
def test_no_depth_is_older_than_two_runs_of_the_network(tmp_path, slow, cameras, images_per_run):
    names = [f'camera{number}' for number in range(cameras)]
    with Graph(tmp_path) as graph:
        node = depth_node.DepthNode(
            context=graph.context,
            parameter_overrides=[
                depth_node.Parameter('cameras', value=names),
                depth_node.Parameter('weights', value='random'),
            ],
        )
        graph.add(node)
        node.autostart()
        depths = {name: graph.collect(Image, f'{name}/depth/image') for name in names}
        publishers = [
            graph.publisher(Image, f'{name}/image', qos_profile_sensor_data) for name in names
        ]
        graph.wait(
            lambda: all(
                'depth/image' in camera.subscribed_outputs() for camera in node._cameras.values()
            ),
            'us in the node',
        )

        def send(number):
            """Send image ``number`` on every camera and wait until the node has them."""
            for publisher in publishers:
                header = Header()
                header.stamp.sec = number
                publisher.publish(
                    pixels_to_image(np.full((*SIZE_PX, 3), number, np.uint8), 'rgb8', header)
                )
            graph.wait(
                lambda: all(
                    camera.newest_stamp_ns == number * 10**9 for camera in node._cameras.values()
                ),
                f'image {number} in the node',
            )

        number, expected = 1, []
        send(number)
        taken = slow.started.get(timeout=PATIENCE_S)
        # The first run may begin before all cameras have sent their first image.
        while len(taken) < cameras:
            slow.may_finish.release()
            taken += slow.started.get(timeout=PATIENCE_S)
        for _ in range(RUNS):
            for _ in range(images_per_run):
                number += 1
                send(number)
            slow.may_finish.release()
            # All cameras in one batch, of each the newest.
            assert slow.started.get(timeout=PATIENCE_S) == [number] * cameras
            expected.append(number)
        slow.may_finish.release()
        for name in names:
            graph.wait(
                lambda name=name: depths[name] and depths[name][-1].header.stamp.sec == number,
                'the last depth',
            )
            assert [each.header.stamp.sec for each in depths[name]] == [1, *expected]
        node.close()
        node.destroy_node()
