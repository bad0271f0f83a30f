"""Edge filter and confidence as a user of the node's topics meets them, with bundled weights."""

from __future__ import annotations

import json
from pathlib import Path
import threading
import time

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from s2r_depth_ros import weights
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.network import S2RDepthNet
from s2r_depth_ros.node.depth_node import DepthNode
from s2r_depth_ros.ros.messages import camera_model_to_info, pixels_to_image

FRAMES = Path(__file__).parents[1] / 's2r_depth_ros' / 'demo_frames'


class Street:
    """Plays a rendered street to a node, and counts what the network is asked."""

    def __init__(self, folder, weights):
        self.graph = Graph(folder)
        entry = json.loads((FRAMES / 'manifest.json').read_text())[0]
        self._rgb = np.ascontiguousarray(cv2.imread(str(FRAMES / entry['rgb']))[..., ::-1])
        fx, fy, cx, cy = entry['K']
        k = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        self._model = CameraModel.from_intrinsics(*self._rgb.shape[1::-1], k)
        self.node = DepthNode(
            context=self.graph.context,
            parameter_overrides=[
                Parameter('device', value='cpu'),
                Parameter('weights', value=weights),
            ],
        )
        self.node.autostart()
        self.graph.add(self.node)
        self.mirrored = self.judged = 0
        engine = self.node._predictor.engine
        run = engine.run

        def counted(requests, with_maps, judged=False):
            self.mirrored += sum(not np.array_equal(each.image, self._rgb) for each in requests)
            self.judged += judged
            return run(requests, with_maps, judged)

        engine.run = counted
        self._image = self.graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
        self._info = self.graph.publisher(
            CameraInfo, 'camera/camera_info', qos_profile_sensor_data
        )
        self._stamp_s = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.node.close()
        self.node.destroy_node()
        self.graph.__exit__(*error)

    def shoot(self, *received):
        """Send the street until each list has a message of its stamp, and return these."""
        self._stamp_s += 1
        header = self._header()

        def found():
            last = [
                next((message for message in messages if message.header == header), None)
                for messages in received
            ]
            return None not in last and last

        return self.graph.wait(found, f'outputs of {header}', repeat=self.send)

    def send(self):
        """Send the street with the stamp of the last one."""
        self._info.publish(camera_model_to_info(self._model, self._header()))
        self._image.publish(pixels_to_image(self._rgb, 'rgb8', self._header()))

    def _header(self):
        header = Header(frame_id='optical')
        header.stamp.sec = self._stamp_s
        return header

    def set(self, **values):
        request = SetParameters.Request(
            parameters=[
                Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
            ]
        )
        return self.graph.call(SetParameters, '/depth_node/set_parameters', request).results


@pytest.fixture(params=['with a judge', 'without'])
def street(tmp_path, request):
    bundled = 'outdoor'
    if request.param == 'without':
        network, info = weights.load_with_info(bundled)
        bundled = str(tmp_path / 'without.safetensors')
        weights.save(bundled, without_judge(network), info)
    with Street(tmp_path, bundled) as playing:
        yield playing
        # One run of the network is enough for a judge.
        assert not (playing.mirrored if request.param == 'with a judge' else playing.judged)


def without_judge(network):
    alike = S2RDepthNet(network.architecture.without_judge())
    alike.load_state_dict(network.state_dict(), strict=False)
    return alike.eval()


def metres(message):
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def test_the_filters_go_on_and_off_at_run_time_and_refuse_bad_values(street):
    depths = street.graph.collect(Image, 'camera/depth/image')
    clouds = street.graph.collect(PointCloud2, 'camera/depth/points')
    plain, _ = street.shoot(depths, clouds)
    assert not np.isnan(metres(plain)).any()
    assert not street.mirrored + street.judged

    assert all(each.successful for each in street.set(edge_filter=1.0))
    filtered, cloud = street.shoot(depths, clouds)
    is_smeared = np.isnan(metres(filtered))
    assert 0.005 < is_smeared.mean() < 0.1
    assert np.array_equal(metres(plain)[~is_smeared], metres(filtered)[~is_smeared])
    points = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, -1)
    assert np.isnan(points[is_smeared][:, :3]).all()
    assert not street.mirrored + street.judged

    assert all(each.successful for each in street.set(edge_filter=0.0, min_confidence=0.5))
    trusted, _ = street.shoot(depths, clouds)
    assert 0.1 < np.isnan(metres(trusted)).mean() < 0.9
    assert street.mirrored + street.judged

    for name, value in (('edge_filter', -1.0), ('min_confidence', 1.5), ('min_confidence', -0.1)):
        (refusal,) = street.set(**{name: value})
        assert not refusal.successful
        assert name in refusal.reason
    assert all(each.successful for each in street.set(min_confidence=0.0))
    again, _ = street.shoot(depths, clouds)
    assert np.array_equal(metres(again), metres(plain))


def test_sharp_edges_go_off_and_on_at_run_time(street):
    depths = street.graph.collect(Image, 'camera/depth/image')
    (sharp,) = street.shoot(depths)
    assert all(each.successful for each in street.set(sharp_edges=False))
    (smooth,) = street.shoot(depths)
    sharp_m, smooth_m = metres(sharp), metres(smooth)
    both = np.isfinite(sharp_m) & np.isfinite(smooth_m)
    steps = [
        np.abs(np.diff(np.where(both, np.log(depth_m), 0))) for depth_m in (sharp_m, smooth_m)
    ]
    kept = both[:, 1:] & both[:, :-1]
    assert np.percentile(steps[0][kept], 99) > 1.3 * np.percentile(steps[1][kept], 99)
    assert all(each.successful for each in street.set(sharp_edges=True))
    (again,) = street.shoot(depths)
    assert np.array_equal(metres(again), sharp_m)


def test_the_confidence_is_that_of_the_image_and_computed_for_its_subscriber_only(street):
    depths = street.graph.collect(Image, 'camera/depth/image')
    street.shoot(depths)
    assert not street.mirrored + street.judged
    confidences = street.graph.collect(Image, 'camera/depth/confidence')
    depth, confidence = street.shoot(depths, confidences)
    assert street.mirrored + street.judged
    assert confidence.header == depth.header
    assert confidence.encoding == 'mono8'
    assert (confidence.height, confidence.width) == (depth.height, depth.width)
    levels = np.frombuffer(confidence.data, np.uint8)
    assert levels.min() < 100 < 150 < levels.max()


def test_the_ground_is_shown_or_the_weights_are_said_to_lack_a_judge(street):
    depths = street.graph.collect(Image, 'camera/depth/image')
    grounds = street.graph.collect(Image, 'camera/depth/ground')
    if street.node._predictor.has_judge:
        depth, ground = street.shoot(depths, grounds)
        assert (ground.header, ground.encoding) == (depth.header, 'mono8')
        levels = np.frombuffer(ground.data, np.uint8).reshape(ground.height, ground.width)
        assert levels[: ground.height // 4].mean() < 20 < 200 < levels[-20:].mean()
        return
    arrays = street.graph.collect(DiagnosticArray, '/diagnostics')

    def said():
        return [
            status
            for array in arrays
            for status in array.status
            if 'depth/ground needs weights with a judge' in status.message
        ]

    street.shoot(depths)
    (status, *_) = street.graph.wait(said, 'the reason')
    assert status.level == DiagnosticStatus.WARN
    assert not grounds


def test_the_cloud_has_the_field_confidence_while_it_is_asked_for(street):
    clouds = street.graph.collect(PointCloud2, 'camera/depth/points')
    (cloud,) = street.shoot(clouds)
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb']
    assert not street.mirrored + street.judged
    assert all(each.successful for each in street.set(points_confidence=True))
    (cloud,) = street.shoot(clouds)
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb', 'confidence']
    values = np.frombuffer(cloud.data, np.float32).reshape(-1, 5)[:, 4]
    assert 0 < values.min() < 0.4 < 0.6 < values.max() <= 1


@pytest.mark.parametrize('street', ['with a judge'], indirect=True)
def test_who_subscribes_while_the_network_runs_gets_the_next_image(street):
    depths = street.graph.collect(Image, 'camera/depth/image')
    street.shoot(depths)
    camera = street.node._cameras['camera']
    engine, grounds = street.node._predictor.engine, []
    run, late = engine.run, threading.Event()

    def joined(*arguments):
        result = run(*arguments)
        late.set()
        deadline_s = time.monotonic() + 60
        while 'depth/ground' not in camera.subscribed_outputs() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return result

    engine.run = joined
    street.graph.wait(late.is_set, 'a running network', repeat=street.send)
    street.graph.node.create_subscription(Image, 'camera/depth/ground', grounds.append, 10)
    street.shoot(depths, grounds)
    assert not [text for text in camera._warned_s if 'judge' in text]


@pytest.mark.parametrize('street', ['without'], indirect=True)
def test_the_network_does_not_run_for_a_ground_that_the_weights_cannot_show(street):
    grounds = street.graph.collect(Image, 'camera/depth/ground')
    infos = street.graph.collect(CameraInfo, 'camera/depth/camera_info')
    street.shoot(infos)
    assert not grounds
    camera, network = street.node._cameras['camera'].counters, street.node._network
    status = network.status('', '', {}, '')
    assert {'images': '0'}.items() <= {each.key: each.value for each in status.values}.items()
    assert 'needs weights with a judge' in camera.status('', 'camera', 9.0).message
