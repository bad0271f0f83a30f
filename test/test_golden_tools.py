"""
The files of ``s2r depth`` and the bag of ``s2r bag`` are those of the golden file.

Covered: npy, png, colours, clouds and contact sheet of two demo frames; and of a bag with a raw
distorted camera and a compressed rectified one all outputs, with depth in 16 bits.
"""

from pathlib import Path

import cv2
from golden_files import block_means
from golden_messages import compare_depth, compare_message, compare_shades, DEPTH_RTOL, SHADES
import numpy as np
from plyfile import PlyData
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Float32MultiArray
from test_cli_bag import read_bag, write_bag
from test_golden_node import FRAMES

from s2r_depth_ros.cli import main

OUTPUTS = ['image', 'camera_info', 'points', 'image_color', 'structure', 'attention', 'scale']
KINDS = {kind.__name__: kind for kind in (CameraInfo, Image, PointCloud2, Float32MultiArray)}


def test_the_files_of_demo_frames_are_the_golden_ones(tmp_path, golden):
    out = tmp_path / 'out'
    assert (
        main(
            [
                'depth',
                str(FRAMES),
                '--frames',
                '2',
                '--save',
                'npy',
                'png',
                'color',
                'ply',
                'sheet',
                '--out',
                str(out),
            ]
        )
        == 0
    )
    with golden('tools.npz', 'depth') as part:
        files = sorted(path for path in out.rglob('*') if path.is_file())
        part.fact('files', [path.relative_to(out).as_posix() for path in files])
        for path in files:
            _compare_file(part, path.relative_to(out).as_posix(), path)


def _compare_file(part, key: str, path: Path) -> None:
    if path.suffix == '.npy':
        compare_depth(part, key, np.load(path))
    elif path.suffix == '.ply':
        vertices = PlyData.read(str(path))['vertex']
        part.fact(f'{key}/fields', [[each.name, each.val_dtype] for each in vertices.properties])
        part.numbers(f'{key}/count', len(vertices), rtol=DEPTH_RTOL)
        # A point more or less shifts all that follow, and quantiles hardly.
        for each in vertices.properties:
            values = np.quantile(vertices[each.name], np.linspace(0.02, 0.98, 9))
            part.numbers(f'{key}/{each.name}', values, rtol=5 * DEPTH_RTOL, atol=0.02)
    elif path.name == 'contact_sheet.png':
        sheet = cv2.imread(str(path))
        part.fact(f'{key}/shape', sheet.shape)
        part.numbers(f'{key}/means', block_means(sheet), atol=SHADES)
    else:
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        part.fact(f'{key}/shape', pixels.shape)
        compare = compare_depth if pixels.dtype == np.uint16 else compare_shades
        compare(part, key, pixels)


def test_the_messages_that_a_bag_gets_are_the_golden_ones(tmp_path, golden):
    write_bag(tmp_path / 'in', 1)
    assert (
        main(
            [
                'bag',
                str(tmp_path / 'in'),
                str(tmp_path / 'out'),
                '--outputs',
                *OUTPUTS,
                '--depth-encoding',
                '16UC1',
                '--point-stride',
                '4',
            ]
        )
        == 0
    )
    messages, facts = read_bag(tmp_path / 'out')
    with golden('tools.npz', 'bag') as part:
        part.fact('topics', sorted([topic, kind] for topic, (kind, *_) in facts.items()))
        part.fact('received_ns', sorted([topic, at_ns] for topic, at_ns, _ in messages))
        for topic, _, data in messages:
            if '/depth/' not in topic:
                continue
            kind = KINDS[facts[topic][0].rpartition('/')[2]]
            message = deserialize_message(data, kind)
            if hasattr(message, 'header'):
                stamp = message.header.stamp
                part.fact(f'{topic}/stamp', [stamp.sec, stamp.nanosec])
            compare_message(part, topic, message)
