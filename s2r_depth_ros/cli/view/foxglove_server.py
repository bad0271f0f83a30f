"""Serve the pictures and the cloud to Foxglove over its web socket."""

from __future__ import annotations

import contextlib
import time

import foxglove
from foxglove.channels import CompressedImageChannel, FrameTransformChannel, PointCloudChannel
from foxglove.messages import CompressedImage as FoxgloveImage
from foxglove.messages import (
    FrameTransform,
    PackedElementField,
    PackedElementFieldNumericType,
    PointCloud,
    Quaternion,
    Timestamp,
    Vector3,
)
import numpy as np
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from ...ros.messages import MessageError
from ...ros.outputs import POINTS
from .. import ToolError
from .live import IMAGE, PICTURES, to_jpeg

FIXED_FRAME = 'view'  # x forward, y left, z up, at the camera

_POINT_BYTES = 16
_FLOAT, _BYTE = PackedElementFieldNumericType.Float32, PackedElementFieldNumericType.Uint8
_ALPHA_BYTE = 15
# The clouds of depth_node have x, y, z and a colour. The bytes of the colour are blue, green, red
# and an unused byte, which viewers take for the opacity.
_FIELDS = [
    PackedElementField(name=name, offset=offset, type=kind)
    for name, offset, kind in (
        ('x', 0, _FLOAT),
        ('y', 4, _FLOAT),
        ('z', 8, _FLOAT),
        ('blue', 12, _BYTE),
        ('green', 13, _BYTE),
        ('red', 14, _BYTE),
        ('alpha', _ALPHA_BYTE, _BYTE),
    )
]


class FoxgloveServer:
    """
    Sends messages to Foxglove; a context manager that stops the server at its end.

    :param host: address to listen on.
    :param port: to listen on; 0 for any free port.
    :raises ToolError: if the port is in use, or the address is not one of this machine.
    """

    def __init__(self, host: str, port: int) -> None:
        self._context = foxglove.Context()
        # Open all channels before the server starts: a later one may stay silent for a viewer
        # that is just connecting.
        self._images = {
            name: CompressedImageChannel(
                f'/{"camera/" if name == IMAGE else ""}{name}', context=self._context
            )
            for name in PICTURES
        }
        self._cloud = PointCloudChannel(f'/{POINTS}', context=self._context)
        self._transform = FrameTransformChannel('/tf', context=self._context)
        try:
            self._server = foxglove.start_server(
                name='s2r view',
                host=host,
                port=port,
                context=self._context,
                message_backlog_size=8,
            )
        except RuntimeError as error:
            raise ToolError(
                f'cannot serve Foxglove on port {port} of {host}: {error}; give another '
                '--foxglove-port or --host'
            ) from error
        self.url = f'ws://{host}:{self._server.port}'

    def __enter__(self) -> FoxgloveServer:
        return self

    def __exit__(self, *_) -> None:
        self._server.stop()

    def send(self, name: str, message: Image | CompressedImage | PointCloud2) -> None:
        """Send a message of that name to its viewers; convert nothing without a viewer."""
        if isinstance(message, PointCloud2):
            self._send_cloud(message)
            return
        if not self._images[name].has_sinks():
            return
        with contextlib.suppress(MessageError):  # the node counts and reports it
            self._images[name].log(
                FoxgloveImage(
                    timestamp=_timestamp(message),
                    frame_id=message.header.frame_id,
                    data=to_jpeg(message),
                    format='jpeg',
                ),
                log_time=_log_time_ns(message),
            )

    def _send_cloud(self, cloud: PointCloud2) -> None:
        if not self._cloud.has_sinks():
            return
        stamp, frame_id = _timestamp(cloud), cloud.header.frame_id
        log_time_ns = _log_time_ns(cloud)
        self._transform.log(
            FrameTransform(
                timestamp=stamp,
                parent_frame_id=FIXED_FRAME,
                child_frame_id=frame_id,
                translation=Vector3(x=0.0, y=0.0, z=0.0),
                rotation=Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5),
            ),
            log_time=log_time_ns,
        )
        points = np.frombuffer(cloud.data, np.uint8).reshape(-1, _POINT_BYTES)
        depth_m = points[:, 8:12].copy().view(np.float32)[:, 0]
        points = points[np.isfinite(depth_m)]
        points[:, _ALPHA_BYTE] = 255
        self._cloud.log(
            PointCloud(
                timestamp=stamp,
                frame_id=frame_id,
                point_stride=_POINT_BYTES,
                fields=_FIELDS,
                data=points.tobytes(),
            ),
            log_time=log_time_ns,
        )


def _timestamp(message: Image | CompressedImage | PointCloud2) -> Timestamp:
    """Return the stamp for Foxglove; unsigned, so a negative stamp becomes a time after 2106."""
    sec, nsec = divmod(_stamp_ns(message), 10**9)
    return Timestamp(sec=sec % 2**32, nsec=nsec)


def _log_time_ns(message: Image | CompressedImage | PointCloud2) -> int:
    """
    Return the message's stamp; the current time if the stamp is missing or negative.

    Otherwise the library uses the time at which the conversion ends. That time differs between the
    pictures and the cloud of one moment, and in a recording.
    """
    stamp_ns = _stamp_ns(message)
    return stamp_ns if stamp_ns > 0 else time.time_ns()


def _stamp_ns(message: Image | CompressedImage | PointCloud2) -> int:
    stamp = message.header.stamp
    return stamp.sec * 10**9 + stamp.nanosec
