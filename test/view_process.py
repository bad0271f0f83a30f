"""`s2r view` as a process, and a client of its web socket, which gets what Foxglove would."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
import numpy as np
import pytest
from websockets.sync.client import connect

RUN_S2R = 'import sys; from s2r_depth_ros.cli import main; sys.exit(main())'
COLORS = ('red', 'green', 'blue', 'alpha')
PATIENCE_S = 300


class CameraImage:
    """`s2r view` as a process on free ports, with the addresses that it prints."""

    def __init__(self, *arguments, domain_id=None):
        environment = {**os.environ}
        if domain_id is not None:
            environment['ROS_DOMAIN_ID'] = str(domain_id)
        self.process = subprocess.Popen(
            [
                sys.executable,
                '-c',
                RUN_S2R,
                'view',
                '--port',
                '0',
                '--foxglove-port',
                '0',
                *map(str, arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.errors = ''  # all that it printed there, once it has ended
        self.page = self._address()
        self.socket = None if '--no-foxglove' in arguments else self._address()

    def _address(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # by force, it would leave its shared memory
        try:
            _, self.errors = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, self.errors = self.process.communicate()

    def news(self, after=0):
        address = f'{self.page}/frame?after={after}'
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def wait_for(self, condition, after=0):
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            news = self.news(after)
            if condition(news):
                return news
            time.sleep(0.05)
        raise AssertionError(news['status'])

    def refusal(self, path, **headers):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(self.page + path, headers=headers))
        return refused.value.code


class Foxglove:
    """A client of the web socket, as the viewers are; a context manager."""

    def __init__(self, address):
        self._connection = connect(
            address,
            subprotocols=['foxglove.sdk.v1'],
            max_size=2**26,
            open_timeout=PATIENCE_S,
            ping_timeout=PATIENCE_S,
        )
        self._socket = None
        self.channels = {}
        self.log_time_ns = 0  # of the message that was returned last

    def __enter__(self):
        self._socket = self._connection.__enter__()
        return self

    def __exit__(self, *error):
        self._connection.__exit__(*error)

    def wait_for_channels(self, topics):
        while not topics <= set(self.channels):
            message = json.loads(self._socket.recv(PATIENCE_S))
            for channel in message.get('channels', ()):
                self.channels[channel['topic']] = channel

    def first(self, topic):
        """Subscribe to a topic and return its first message, decoded by the channel's schema."""
        channel = self.channels[topic]
        self._socket.send(
            json.dumps(
                {
                    'op': 'subscribe',
                    'subscriptions': [{'id': channel['id'], 'channelId': channel['id']}],
                }
            )
        )
        data = self._socket.recv(PATIENCE_S)
        while not (
            isinstance(data, bytes)
            and data[0] == 1
            and int.from_bytes(data[1:5], 'little') == channel['id']
        ):
            data = self._socket.recv(PATIENCE_S)
        files = descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(channel['schema']))
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(channel['schemaName']))
        self.log_time_ns = int.from_bytes(data[5:13], 'little')
        return kind.FromString(data[13:])


def points_of(cloud):
    """Return the points of a cloud as an array with the fields that the message names."""
    return np.frombuffer(
        cloud.data,
        np.dtype(
            {
                'names': [field.name for field in cloud.fields],
                'formats': ['u1' if field.name in COLORS else '<f4' for field in cloud.fields],
                'offsets': [field.offset for field in cloud.fields],
                'itemsize': cloud.point_stride,
            }
        ),
    )
