"""The verb view of s2r: its page in a real browser, its web socket, and what it says of faults."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from urllib.parse import urlsplit
import urllib.request

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from needed import skip_without
import numpy as np
from playwright.sync_api import sync_playwright
import pytest
from ros_graph import Graph, next_domain_id
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from view_process import CameraImage, Foxglove, PATIENCE_S, points_of, RUN_S2R

from s2r_depth_ros.cli import main
from s2r_depth_ros.ros.messages import pixels_to_image

FRAMES = Path(__file__).parents[1] / 's2r_depth_ros' / 'demo_frames'
PICTURES = {'image', 'depth/image_color', 'depth/structure', 'depth/attention'}


@pytest.fixture(scope='module')
def view():
    """A view of the street that comes with the package, with its own node and camera."""
    with CameraImage(FRAMES / 'street_0.jpg') as view:
        view.wait_for(lambda news: news['pictures'])
        yield view
    assert 'Traceback' not in view.errors


@pytest.fixture(scope='module')
def browser():
    """Debian's Chromium without a display."""
    chromium = shutil.which('chromium') or shutil.which('google-chrome')
    if chromium is None:
        skip_without('a browser', 'chromium')
    with sync_playwright() as run:
        browser = run.chromium.launch(
            executable_path=chromium, args=['--no-sandbox'], timeout=PATIENCE_S * 1000
        )
        yield browser
        browser.close()


def picture(jpeg):
    return cv2.imdecode(np.frombuffer(base64.b64decode(jpeg), np.uint8), cv2.IMREAD_COLOR)


def test_the_page_shows_four_pictures_rate_and_latency_in_a_browser(view, browser):
    page = browser.new_page(viewport={'width': 1280, 'height': 560})
    page.set_default_timeout(PATIENCE_S * 1000)
    faults = []
    page.on('pageerror', lambda fault: faults.append(fault))
    page.goto(view.page)
    page.wait_for_function(
        'Array.from(document.images).every(image => image.naturalWidth === 640)'
    )
    page.wait_for_function("document.getElementById('status').className === 'good'")
    page.wait_for_function("parseFloat(document.getElementById('rate').value) > 0")
    page.wait_for_function("parseFloat(document.getElementById('latency').value) > 0")
    # It goes on: the image is always the same, but not the number of the frame.
    asked = page.wait_for_event('request', lambda request: 'frame?after=' in request.url).url
    page.wait_for_event(
        'request', lambda request: 'frame?after=' in request.url and request.url != asked
    )
    shown = {
        page.evaluate(f"document.getElementById('{name}').src.slice(0, 22)") for name in PICTURES
    }
    assert shown == {'data:image/jpeg;base64'}
    assert page.evaluate('document.documentElement.scrollWidth') <= 1280
    assert not faults


def test_the_page_says_so_when_its_server_is_gone(browser, tmp_path):
    with Graph(tmp_path) as graph, CameraImage('--no-foxglove', domain_id=graph.domain_id) as own:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.goto(own.page)
        own.process.send_signal(signal.SIGINT)
        page.wait_for_function(
            "document.getElementById('status').value === 's2r view does not answer'"
        )


def test_a_frame_has_the_pictures_of_one_moment(view):
    news = view.wait_for(lambda news: set(news['pictures'] or ()) == PICTURES)
    shown = picture(news['pictures']['image'])
    played = cv2.resize(cv2.imread(str(FRAMES / 'street_0.jpg')), shown.shape[1::-1])
    assert cv2.absdiff(shown, played).mean() < 8
    assert {picture(jpeg).shape for jpeg in news['pictures'].values()} == {shown.shape}
    colored = picture(news['pictures']['depth/image_color'])
    assert np.ptp(colored.astype(int), axis=-1).mean() > 50  # colours, not grey
    view.wait_for(lambda later: (later['number'] or 0) > news['number'], after=news['number'])


def test_other_hosts_and_paths_are_refused(view):
    assert view.refusal('/', Host='robots.example') == 403
    assert view.refusal('/frame?after=0', Host='192.168.1.5:8080') == 403
    assert view.refusal('/../setup.py') == 404
    with urllib.request.urlopen(
        urllib.request.Request(  # as a tunnel of SSH shows it
            view.page, headers={'Host': 'localhost:9000'}
        )
    ) as answer:
        assert b'<title>s2r view' in answer.read()


def test_an_address_that_is_none_is_refused(view):
    place = urlsplit(view.page)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(b'GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n')
        assert connection.recv(100).startswith(b'HTTP/1.0 400 ')


def test_a_client_that_leaves_before_its_answer_is_no_fault():
    with CameraImage('--no-foxglove', domain_id=next_domain_id()) as own:
        place = urlsplit(own.page)
        for path in (b'/', b'/none', b'http://[', b'/frame?after=0') * 10:
            connection = socket.create_connection((place.hostname, place.port))
            # It resets the connection, so the server fails where it reads or writes next.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            connection.sendall(b'GET ' + path + b' HTTP/1.1\r\nHost: localhost\r\n\r\n')
            connection.close()
        own.news()  # it still serves
    assert own.errors == ''


def test_foxglove_gets_the_pictures_the_cloud_and_its_frame_logged_at_their_stamps(view):
    with Foxglove(view.socket) as client:
        client.wait_for_channels(
            {
                '/camera/image',
                '/depth/image_color',
                '/depth/structure',
                '/depth/attention',
                '/depth/points',
                '/tf',
            }
        )
        image = client.first('/camera/image')
        assert client.log_time_ns == image.timestamp.ToNanoseconds()
        assert image.format == 'jpeg'
        assert cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR).shape[1] == 640
        cloud = client.first('/depth/points')
        # All of one moment are logged at that moment, not when each was converted.
        assert client.log_time_ns == cloud.timestamp.ToNanoseconds()
        points = points_of(cloud)
        assert len(points) > 10000
        assert (points['z'] > 0).all()
        assert points['red'].std() > 5
        assert (points['alpha'] == 255).all()
        transform = client.first('/tf')
        assert transform.child_frame_id == cloud.frame_id
        # Forward, z of the optical frame, is x of the frame that stays: rotate (0, 0, 1).
        q = transform.rotation
        assert (2 * (q.x * q.z + q.w * q.y), 2 * (q.y * q.z - q.w * q.x)) == (1, 0)


def test_the_field_of_view_of_an_input_can_be_given(tmp_path):
    with (
        CameraImage(FRAMES / 'street_0.jpg', '--hfov-deg', '90') as view,
        Foxglove(view.socket) as client,
    ):
        client.wait_for_channels({'/depth/points'})
        points = points_of(client.first('/depth/points'))
    assert np.abs(points['x'] / points['z']).max() == pytest.approx(1, abs=0.05)  # tan 45 degrees


@pytest.mark.parametrize('sec', [-(2**31), -1, 2**31 - 1])
def test_a_stamp_before_0_or_at_the_end_of_time_is_shown(tmp_path, sec):
    grey = np.full((30, 40, 3), 90, np.uint8)
    header = Header(frame_id='eye')
    header.stamp.sec, header.stamp.nanosec = sec, 5
    with (
        Graph(tmp_path) as graph,
        CameraImage(
            '--camera', 'front', '--image', '/front/rgb', domain_id=graph.domain_id
        ) as view,
    ):
        publishers = [
            graph.publisher(Image, f'front/{name}')
            for name in ('rgb', 'depth/image_color', 'depth/structure', 'depth/attention')
        ]
        is_done = threading.Event()

        def publish():
            while not is_done.wait(0.1):
                for publisher in publishers:
                    publisher.publish(pixels_to_image(grey, 'bgr8', header))

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            with Foxglove(view.socket) as client:
                client.wait_for_channels({'/depth/image_color'})
                image = client.first('/depth/image_color')
                first = view.wait_for(lambda news: set(news['pictures'] or ()) == PICTURES)
                view.wait_for(lambda news: news['number'] > first['number'])
        finally:
            is_done.set()
            thread.join()
    assert (image.timestamp.seconds, image.timestamp.nanos) == (sec % 2**32, 5)


def test_the_layout_shows_what_is_sent():
    layout = json.loads((Path(FRAMES).parent / 'cli/view/foxglove_layout.json').read_text())
    panels = layout['configById']
    shown = {
        panel['imageMode']['imageTopic']
        for name, panel in panels.items()
        if name.startswith('Image')
    }
    assert shown == {'/camera/image', '/depth/image_color', '/depth/structure', '/depth/attention'}
    assert set(panels['3D!cloud']['topics']) == {'/depth/points'}
    assert panels['3D!cloud']['followTf'] == 'view'

    def leaves(part):
        return [part] if isinstance(part, str) else leaves(part['first']) + leaves(part['second'])

    assert set(leaves(layout['layout'])) == set(panels)


def test_a_running_node_is_shown_and_its_absence_explained(tmp_path):
    with (
        Graph(tmp_path) as graph,
        CameraImage(
            '--camera',
            'front',
            '--image',
            '/front/rgb',
            '--no-foxglove',
            domain_id=graph.domain_id,
        ) as view,
    ):
        status = view.news()['status']
        assert 'nobody publishes /front/depth/image_color: start depth_node' in status['text']
        assert not status['is_good']
        # Not a node but what one publishes; another camera's is none of its business.
        publishers = {
            name: graph.publisher(Image, f'front/{name}')
            for name in ('rgb', 'depth/image_color', 'depth/structure', 'depth/attention')
        }
        header = Header()
        grey = np.full((30, 40, 3), 90, np.uint8)

        def shows_all(news):
            if set(news['pictures'] or ()) == PICTURES:
                return True
            header.stamp.sec += 1  # of another clock: there is no latency
            for publisher in publishers.values():
                publisher.publish(pixels_to_image(grey, 'bgr8', header))
            return False

        news = view.wait_for(shows_all)
        assert picture(news['pictures']['image']).shape == grey.shape
        assert news['status']['latency_ms'] is None
        view.wait_for(lambda news: news['status']['text'] == 'waiting for the node')
        # What another node says, of a camera of the same name even, does not count.
        diagnostics = graph.publisher(DiagnosticArray, '/diagnostics')

        def says_more(news):
            diagnostics.publish(
                DiagnosticArray(
                    status=[
                        DiagnosticStatus(name=f'{node}: {about}', level=level, message=message)
                        for node, level, message in (
                            ('/other', DiagnosticStatus.ERROR, 'broken'),
                            ('/test', DiagnosticStatus.OK, 'running'),
                        )
                        for about in ('network', 'front')
                    ]
                )
            )
            return news['status']['text'] != 'waiting for the node'

        news = view.wait_for(says_more)
        assert (news['status']['text'], news['status']['is_good']) == ('running', True)
        view.process.send_signal(signal.SIGINT)
        assert view.process.wait(PATIENCE_S) == 0


def test_weights_that_cannot_be_used_are_told(tmp_path, capsys):
    street = str(FRAMES / 'street_0.jpg')
    assert main(['view', street, '--port', '0', '--no-foxglove', '--weights', 'nowhere']) == 1
    assert capsys.readouterr().err == 's2r view: no weights at nowhere\n'
    broken = tmp_path / 'broken.safetensors'
    broken.write_text('no weights')
    with CameraImage(street, '--no-foxglove', '--weights', broken) as view:
        news = view.wait_for(lambda news: 'broken.safetensors' in news['status']['text'])
        assert not news['status']['is_good']


@pytest.mark.parametrize(
    ('option', 'what'), [('--port', 'the page on port'), ('--foxglove-port', 'Foxglove on port')]
)
def test_a_port_in_use_is_told_in_one_sentence(option, what):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                RUN_S2R,
                'view',
                '--port',
                '0',
                '--foxglove-port',
                '0',
                option,
                str(port),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, 'ROS_DOMAIN_ID': str(next_domain_id())},
        )
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert f'cannot serve {what} {port} of 127.0.0.1' in said
    assert f'give another {option} or --host' in said


def test_an_input_without_images_is_told_in_one_sentence(tmp_path, capsys):
    text = tmp_path / 'text.jpg'
    text.write_text('no image')
    for path, said in (
        ('no/such/folder', 'is neither a folder nor a file'),
        (text, 'is not an image that OpenCV can read'),
    ):
        assert main(['view', str(path)]) == 1
        assert capsys.readouterr().err == f's2r view: {path} {said}\n'


@pytest.mark.parametrize(
    ('option', 'value', 'said'),
    [
        ('--port', '70000', '70000 is no port'),
        ('--rate', '0', '0 is not in 0.01 to 1000'),
        ('--hfov-deg', '180', '180 is not in 1 to 179'),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(option, value, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['view', str(FRAMES), option, value])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize('arguments', [['--camera', 'front/'], ['--image', 'a b']])
def test_what_makes_no_topic_is_told_in_one_sentence(arguments, capsys):
    assert main(['view', '--no-foxglove', '--port', '0', *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith('s2r view: --camera or --image makes no topic: ')


def test_a_signal_ends_it_and_what_it_started():
    with CameraImage('--no-foxglove', FRAMES / 'street_0.jpg') as own:
        own.wait_for(lambda news: news['pictures'])
        children = Path(f'/proc/{own.process.pid}/task/{own.process.pid}/children').read_text()
        started = [Path('/proc') / child for child in children.split()]
        assert len(started) == 2
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(PATIENCE_S) == 0
        assert not [process for process in started if process.exists()]
    assert 'Traceback' not in own.errors
