"""Messages keep the value of a number from any library."""

from array import array
import ast
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
import numpy as np
import pytest
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import (
    CameraInfo,
    CompressedImage,
    Image,
    LaserScan,
    PointCloud2,
    PointField,
    Range,
)
from std_msgs.msg import Float32MultiArray, Header, MultiArrayDimension

from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraImage, DepthResult
from s2r_depth_ros.depth.scale import Scale
from s2r_depth_ros.node.diagnostics import CameraCounters, NetworkCounters
from s2r_depth_ros.ros.descriptors import descriptor
from s2r_depth_ros.ros.message_types import filled
from s2r_depth_ros.ros.outputs import COPIES, GROUND_OUTPUTS, output_messages, OUTPUTS, SCALE

PACKAGE = Path(__file__).parents[1] / 's2r_depth_ros'
# Class, field, what is put in, what arrives.
SCALARS = [
    (Range, 'range', np.float32(2.5), 2.5),
    (Range, 'min_range', np.float64(0.5), 0.5),
    (LaserScan, 'range_max', np.float64(8), 8.0),
    (Range, 'radiation_type', np.uint8(1), 1),
    (FloatingPointRange, 'to_value', 3, 3.0),
    (FloatingPointRange, 'from_value', np.float32(0.25), 0.25),
    (IntegerRange, 'to_value', np.int64(2**40), 2**40),
    (ParameterDescriptor, 'read_only', np.bool_(True), True),
    (SetParametersResult, 'successful', np.bool_(True), True),
    (PointField, 'offset', np.int64(12), 12),
    (MultiArrayDimension, 'size', np.int32(7), 7),
    (Image, 'width', np.int64(640), 640),
    (Image, 'is_bigendian', np.uint8(1), 1),
    (CameraInfo, 'height', np.uint32(480), 480),
    (PointCloud2, 'is_dense', np.bool_(True), True),
    (CompressedImage, 'format', np.str_('jpeg'), 'jpeg'),
    (KeyValue, 'value', np.str_('1.5'), '1.5'),
    (DiagnosticStatus, 'level', DiagnosticStatus.WARN, DiagnosticStatus.WARN),
    (
        Float32MultiArray,
        'data',
        array('f', Scale(np.float32(1.5), np.float64(0.5))),
        array('f', [1.5, 0.5]),
    ),
]


@pytest.fixture(params=['1', None], ids=['fields checked', 'fields unchecked'])
def check_fields(request, monkeypatch):
    """Run a test as rclpy checks the types of fields, and as it does by default."""
    if request.param:
        monkeypatch.setenv('ROS_PYTHON_CHECK_FIELDS', request.param)
    else:
        monkeypatch.delenv('ROS_PYTHON_CHECK_FIELDS', raising=False)


def read_back(message):
    return deserialize_message(serialize_message(message), type(message))


@pytest.mark.parametrize(('kind', 'field', 'value', 'arrives'), SCALARS, ids=str)
def test_a_scalar_of_numpy_arrives_as_it_was(kind, field, value, arrives, check_fields):
    assert getattr(read_back(filled(kind, **{field: value})), field) == arrives


def messages_of_a_frame(number):
    """Return all that the node makes of a frame, its numbers being of the given type."""
    height, width = 4, 6
    count = number if number is int or issubclass(number, np.integer) else np.int64
    k = np.array([[5.0, 0, 2.5], [0, 5.0, 1.5], [0, 0, 1]])
    model = CameraModel.from_calibration(
        count(width),
        count(height),
        k,
        np.array([0.5, 0.25, 0, 0]),
        np.eye(3),
        np.hstack((k, np.zeros((3, 1)))),
    )
    depth_m = np.linspace(1, 5, height * width, dtype=np.float32).reshape(height, width)
    header = Header(frame_id='eye')
    header.stamp.sec, header.stamp.nanosec = 5, 7
    rgb = np.full((height, width, 3), 9, np.uint8)
    result = DepthResult(
        CameraImage(rgb, model, 5_000_000_007, 'eye'),
        depth_m,
        76.0,
        depth_m / 5,
        depth_m / 6,
        scale=Scale(number(2), number(1)),
        ground=GroundPlane(number(1)),
        confidence=depth_m / 7,
    )
    found = output_messages(result, [*OUTPUTS, *COPIES, *GROUND_OUTPUTS, SCALE], Parameters())
    counters = CameraCounters()
    counters.count_received()
    counters.count_published(number(1), result)
    statuses = [
        counters.status('/node', 'camera', number(200)),
        NetworkCounters().status('/node', 'active', {'device': 'cpu'}, ''),
    ]
    steady = [value for value in statuses[0].values if 'rate' not in value.key]
    statuses[0].values = steady
    return [
        *found.values(),
        filled(DiagnosticArray, header=header, status=statuses),
        descriptor(1.0, 'metres', (number(0), number(9))),
        descriptor(1, 'pixels', (number(0), number(9))),
    ]


@pytest.mark.parametrize('number', [np.float32, np.float64, np.int64, np.uint8])
def test_every_message_of_the_node_reads_back_as_with_plain_numbers(number, check_fields):
    plain = messages_of_a_frame(int)
    assert {type(message) for message in plain} >= {
        Image,
        CameraInfo,
        LaserScan,
        PointCloud2,
        Float32MultiArray,
        DiagnosticArray,
        ParameterDescriptor,
    }
    for made, expected in zip(messages_of_a_frame(number), plain, strict=True):
        assert repr(read_back(made)) == repr(read_back(expected))


def test_no_message_is_filled_past_the_cast():
    kinds = {
        kind.__name__
        for kind in (
            CameraInfo,
            CompressedImage,
            DiagnosticArray,
            DiagnosticStatus,
            Float32MultiArray,
            FloatingPointRange,
            Header,
            Image,
            IntegerRange,
            KeyValue,
            LaserScan,
            MultiArrayDimension,
            ParameterDescriptor,
            PointCloud2,
            PointField,
            Range,
            SetParametersResult,
        )
    }
    modules = [path for path in PACKAGE.rglob('*.py') if 'bench' not in path.parts]
    past = [
        f'{module.name}:{call.lineno}'
        for module in modules
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in kinds
        and (call.args or call.keywords)
    ]
    assert not past
