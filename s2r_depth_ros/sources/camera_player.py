"""
Play images or a video as a camera: for a first look, for tests, for robots without a camera.

Published:
  image_raw             sensor_msgs/Image, reliable (encoding bgr8, rgb8 or mono8)
  image_raw/compressed  sensor_msgs/CompressedImage, reliable (encoding jpeg), instead of image_raw
  camera_info           sensor_msgs/CameraInfo with the same stamp, reliable

Subscribed: nothing. Names are relative: put the node into the camera's namespace, for example

  camera_player --ros-args -r __ns:=/camera -p path:=$HOME/pictures -p loop:=true

The intrinsics come from the first of these that is given: calibration_file, focal_px, the
manifest.json beside the images, hfov_deg. Those of calibration_file are scaled to each image.

The exit code is 0 after the last image, on SIGINT and on SIGTERM. It is 1 if there is nothing to
play or a parameter is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import sys
from typing import Any, NamedTuple

import cv2
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ..depth.camera_model import CameraError, CameraModel, read_calibration
from ..ros import qos
from ..ros.compressed import LONGEST_SIDE_PX
from ..ros.descriptors import descriptor, warn_of_unknown
from ..ros.message_types import filled
from ..ros.messages import camera_model_to_info, pixels_to_image
from ..ros.process import run
from ..ros.session import check_command_line, Session
from .bags.paths import is_bag
from .frames import Frame, FrameError, FrameSource, IntrinsicsOverride

FROM_RGB = {
    'bgr8': cv2.COLOR_RGB2BGR,
    'rgb8': None,
    'mono8': cv2.COLOR_RGB2GRAY,
    'jpeg': cv2.COLOR_RGB2BGR,
}

_DELIVERY_TIMEOUT_S = 5.0


class _Parameter(NamedTuple):
    default: Any
    description: str
    limits: tuple[float, float] | None = None


PARAMETERS = {
    'path': _Parameter(
        '', 'Required: a folder with images, an image, a video that OpenCV can open, or webcam.'
    ),
    'rate_hz': _Parameter(10.0, 'Images per second.', (0.01, 1000.0)),
    'loop': _Parameter(True, 'Start again after the last image; if false, end.'),
    'encoding': _Parameter(
        'bgr8',
        'Pixel format of image_raw, or jpeg for image_raw/compressed. One of '
        f'{", ".join(FROM_RGB)}.',
    ),
    'frame_id': _Parameter(
        'camera_optical_frame', 'frame_id of all messages: x right, y down, z forward (REP 103).'
    ),
    'calibration_file': _Parameter(
        '',
        'YAML file with the intrinsics, as camera_info_manager writes it; empty for none. See '
        'camera_info.example.yaml.',
    ),
    'focal_px': _Parameter(
        0.0,
        'Focal length in pixels, with the optical centre in the middle of the image; 0 if '
        'unknown. calibration_file overrides it.',
        (0.0, 1e6),
    ),
    'hfov_deg': _Parameter(
        60.0,
        'Horizontal field of view in degrees, for images without calibration_file, focal_px and '
        'manifest.json.',
        (1.0, 179.0),
    ),
    'wait_for_subscribers': _Parameter(
        0,
        'Wait for this number of subscribers to the image and to camera_info before the first '
        'image.',
        (0, 1000),
    ),
}


class CameraPlayer(Node):
    """
    Publishes one image with its camera_info at each tick of a timer.

    :raises FrameError: if there is nothing to play.
    :raises CameraError: if the calibration file is wrong.
    :raises ParameterException: if a parameter has another type or is out of its range.
    :raises ValueError: if the encoding is unknown.
    """

    def __init__(self) -> None:
        super().__init__('camera_player')
        value = {
            name: self.declare_parameter(name, item.default, descriptor(*item)).value
            for name, item in PARAMETERS.items()
        }
        warn_of_unknown(self, [*PARAMETERS])
        self._encoding: str = value['encoding']
        if self._encoding not in FROM_RGB:
            raise ValueError(
                f"encoding must be one of {', '.join(FROM_RGB)}, got '{self._encoding}'"
            )
        if not value['path']:
            raise FrameError("nothing to play: set the parameter 'path' to a folder or a video")
        self._loop: bool = value['loop']
        self._frame_id: str = value['frame_id']
        self._awaited_subscribers: int = value['wait_for_subscribers']
        self._lens = IntrinsicsOverride(
            read_calibration(value['calibration_file']) if value['calibration_file'] else None,
            value['focal_px'],
            value['hfov_deg'],
        )
        if is_bag(Path(value['path'])):
            raise FrameError(
                f'{value["path"]} is a bag, which `ros2 bag play` plays: expected images or a '
                'video'
            )
        self._source = FrameSource(value['path'], self._on_skipped)
        self._skipped: set[str] = set()
        self._said: set[str] = set()
        self._frames: Iterator[Frame] = iter(self._source)
        self._played = 0
        self.exit_code: Future = Future()
        """Future that is done after the last image."""

        qos.check_values(self)
        is_jpeg = self._encoding == 'jpeg'
        self._image_publisher = self.create_publisher(
            CompressedImage if is_jpeg else Image,
            'image_raw/compressed' if is_jpeg else 'image_raw',
            **qos.reliable(),
        )
        self._info_publisher = self.create_publisher(CameraInfo, 'camera_info', **qos.reliable())
        qos.check_use(self)
        self.create_timer(
            1 / value['rate_hz'], self._play_next, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self.get_logger().info(
            f'plays {len(self._source)} images of {value["path"]} at {value["rate_hz"]:g} Hz as '
            f'{self._image_publisher.topic_name}'
        )

    def _play_next(self) -> None:
        if self.exit_code.done():
            return
        if self._played == 0 and self._awaited_subscribers > min(
            publisher.get_subscription_count()
            for publisher in (self._image_publisher, self._info_publisher)
        ):
            return
        frame = next(self._frames, None)
        if frame is None and self._loop and self._played:
            self._frames = iter(self._source)
            frame = next(self._frames, None)
        if frame is None:
            self._finish()
            return
        if self._encoding == 'jpeg' and max(frame.rgb.shape) > LONGEST_SIDE_PX:
            self._on_skipped(
                f'{frame.name} has more than {LONGEST_SIDE_PX} pixels a side, no JPEG'
            )
            return
        self._publish(frame)
        self._played += 1

    def _publish(self, frame: Frame) -> None:
        header = filled(Header, stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        model = None
        try:
            model = self._camera_of(frame)
        except CameraError as error:
            self._warn_once(f'{frame.name} is played as uncalibrated: {error}')
        if model is None:
            height_px, width_px = frame.rgb.shape[:2]
            model = CameraModel.from_intrinsics(width_px, height_px, np.zeros((3, 3)))
        # Intrinsics first: a subscriber that acts on the image already has them.
        self._info_publisher.publish(camera_model_to_info(model, header))
        conversion = FROM_RGB[self._encoding]
        pixels = frame.rgb if conversion is None else cv2.cvtColor(frame.rgb, conversion)
        if self._encoding == 'jpeg':
            message = filled(CompressedImage, header=header, format='jpeg')
            message.data.frombytes(cv2.imencode('.jpg', pixels)[1].tobytes())
        else:
            message = pixels_to_image(pixels, self._encoding, header)
        self._image_publisher.publish(message)

    def _camera_of(self, frame: Frame) -> CameraModel | None:
        lens = self._lens
        if lens.shape_fault(frame):
            self._warn_once(lens.shape_fault(frame))
        if lens.calibration is None and not lens.focal_px and frame.intrinsics is None:
            self._warn_once(
                f'nothing says the intrinsics, a field of view of {lens.hfov_deg:g} degrees is '
                'assumed; set calibration_file, focal_px or hfov_deg'
            )
        return lens.camera_of(frame)

    def _finish(self) -> None:
        if self._played == 0:
            self.get_logger().error(
                f'none of the {len(self._source)} images can be read, there is nothing to play'
            )
            self.exit_code.set_result(1)
            return
        timeout = Duration(seconds=_DELIVERY_TIMEOUT_S)
        for publisher in (self._image_publisher, self._info_publisher):
            if not publisher.wait_for_all_acked(timeout):
                self.get_logger().warning(f'not all of {publisher.topic_name} was delivered')
        self.get_logger().info(f'played {self._played} images, skipped {len(self._skipped)}')
        self.exit_code.set_result(0)

    def _on_skipped(self, reason: str) -> None:
        self._skipped.add(reason)
        self._warn_once(reason)

    def _warn_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.get_logger().warning(text)


def main(args: list[str] | None = None) -> int:
    """
    Run the player until the images end or a signal stops it.

    :param args: command line without the program's name; None means that of the process.
    :returns: the exit code.
    """
    check_command_line('camera_player', _help(), args)
    with Session(args) as session:
        try:
            player = CameraPlayer()
        except (ParameterException, ValueError) as error:
            print(f'camera_player: {error}', file=sys.stderr)
            return 1
        session.spin(player, player.exit_code.done)
        player.destroy_node()
        return player.exit_code.result() or 0


def _help() -> str:
    parameters = ''.join(
        f'  {name} ({item.default!r})\n      {item.description}\n'
        for name, item in PARAMETERS.items()
    )
    return f'{__doc__}\nParameters, all read-only (default):\n{parameters}'


if __name__ == '__main__':
    run(main)
