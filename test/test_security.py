"""The security policy allows what the nodes do, by SROS2's rules for names, and nothing else."""

from pathlib import Path
from xml.etree import ElementTree

import launch_stand_in as stand_in
import pytest
from ros_graph import Graph

ROOT = Path(__file__).parents[1]
POLICY = ROOT / 'config' / 'security' / 'depth_node.policy.xml'
HAS = {
    ('topics', 'publish'): 'get_publisher_names_and_types_by_node',
    ('topics', 'subscribe'): 'get_subscriber_names_and_types_by_node',
    ('services', 'reply'): 'get_service_names_and_types_by_node',
}


def expanded(name: str, namespace: str, node: str) -> str:
    """Return the full name as ``ros2 security create_permission`` writes it."""
    namespace = namespace.rstrip('/') + '/'
    if name.startswith('/'):
        return name
    return namespace + node + name[1:] if name.startswith('~') else namespace + name


def allowed(node: str, kind: str, right: str) -> set[str]:
    """Return the full names that a node has a right to."""
    profile = ElementTree.parse(POLICY).find(f'.//profile[@node="{node}"]')
    return {
        expanded(item.text, profile.get('ns'), node)
        for group in profile.findall(kind)
        if group.get(right) == 'ALLOW'
        for item in group
    }


def names(graph: Graph, node: str, namespace: str) -> dict[tuple[str, str], set[str]]:
    """Return the full names that a running node has, as far as they are discovered."""
    if (node, namespace) not in graph.node.get_node_names_and_namespaces():
        return {key: set() for key in HAS}
    return {
        key: {name for name, _ in getattr(graph.node, method)(node, namespace)}
        for key, method in HAS.items()
    }


def check_names(folder: Path, arguments: list[str], node: str, namespace: str, expected: dict):
    """Start the node and wait until it has exactly these names, and is a client of nobody."""
    folder.mkdir()
    with Graph(folder) as graph:
        graph.start('s2r_depth_ros.program', node, *arguments)
        graph.wait(lambda: names(graph, node, namespace) == expected, f'{node} with {expected}')
        assert graph.node.get_client_names_and_types_by_node(node, namespace) == []


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Return a function that gives a process of a launch file, not started."""

    def launched(name, process, **arguments):
        folder = tmp_path / f'launched_{len(list(tmp_path.iterdir()))}'
        folder.mkdir()
        actions = stand_in.load(ROOT / 'launch' / name, monkeypatch)
        return stand_in.Launch(actions, folder, **arguments).run().process(process)

    return launched


def test_private_names_have_their_slash():
    for item in ElementTree.parse(POLICY).iter():
        if item.tag in ('topic', 'service') and item.text.startswith('~'):
            assert item.text.startswith('~/'), item.text


RUN = ['-p', 'weights:=random', '-p', 'device:=cpu', '-p', 'rectify:=true']
COMPRESSED = ['-p', 'input_transport:=compressed']


def test_the_policy_is_what_the_node_has_in_all_its_forms(launched, tmp_path, monkeypatch):
    """Started by itself and by the launch file, raw and compressed, with each scale source."""
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parent / 'tf2_stand_in'))
    by_launch = [*launched('depth.launch.py', 'depth_node').command[1:], *RUN]
    fixed = ['-p', 'scale_source:=fixed', '-p', "base_frame:=''"]
    references = {'/camera/scale_reference/image', '/camera/scale_reference/range'}
    tf = {'/tf', '/tf_static'}
    forms = [
        (['--ros-args', *RUN], {'/camera/image', *references, *tf}),
        (
            ['--ros-args', *RUN, *fixed, *COMPRESSED, '-p', 'use_sim_time:=true'],
            {'/camera/image/compressed', '/clock'},
        ),
        ([*by_launch, *fixed], {'/camera/image_raw'}),
        ([*by_launch, *COMPRESSED], {'/camera/image_raw/compressed', *references, *tf}),
    ]
    rights = {key: allowed('depth_node', *key) - {'/bond'} for key in HAS}
    subscribed = {'/camera/camera_info'}.union(*(topics for _, topics in forms))
    assert rights['topics', 'subscribe'] == subscribed
    for number, (arguments, topics) in enumerate(forms):
        expected = {**rights, ('topics', 'subscribe'): {'/camera/camera_info', *topics}}
        check_names(tmp_path / f'form_{number}', arguments, 'depth_node', '/', expected)
    assert not ElementTree.parse(POLICY).findall('.//services[@request]')


def test_the_policy_is_what_the_player_of_the_demo_has(launched, tmp_path):
    frames = str(ROOT / 's2r_depth_ros' / 'demo_frames')
    command = launched(
        'demo.launch.py', 'camera_player', path=frames, rviz='false', use_sim_time='true'
    ).command
    rights = {key: allowed('camera_player', *key) for key in HAS}
    images = {'/camera/image_raw', '/camera/image_raw/compressed'}
    for encoding, other in (
        ('bgr8', '/camera/image_raw/compressed'),
        ('jpeg', '/camera/image_raw'),
    ):
        publish = 'topics', 'publish'
        assert images <= rights[publish]
        check_names(
            tmp_path / encoding,
            [*command[1:], '-p', f'encoding:={encoding}'],
            'camera_player',
            '/camera',
            {**rights, publish: rights[publish] - {other}},
        )


def test_every_node_of_the_launch_files_has_an_enclave(launched):
    """All but rviz2, which makes nodes of random names."""
    enclaves = {each.get('path') for each in ElementTree.parse(POLICY).iter('enclave')}
    started = {
        name
        for path in (ROOT / 'launch').glob('*.launch.py')
        for name in (
            'depth_node',
            'camera_player',
            'base_to_camera',
            'camera_to_optical',
            'optical_to_level',
        )
        if f"'{name}'" in path.read_text()
    }
    assert enclaves == {f'/{name}' for name in started}
