"""The bond with Nav2's lifecycle manager; a stand-in replaces bondpy, which has no wheel."""

from __future__ import annotations

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import pytest
from ros_graph import Graph, ros_arguments
from std_msgs.msg import String

# It takes what bondpy 4.1 takes, and sends its identity and whether it lives, instead of the
# message bond/Status.
STAND_IN = """
import threading

from std_msgs.msg import String


class Bond:
    def __init__(self, topic, id, node, on_broken=None, on_formed=None):
        self.heartbeat_period = None
        self._id, self._ended = id, threading.Event()
        self._publisher = node.create_publisher(String, topic, 1)

    def start(self):
        threading.Thread(target=self._beat, daemon=True).start()

    def shutdown(self):
        self._ended.set()
        self._publisher.publish(String(data=f'{self._id} dead'))

    def _beat(self):
        while not self._ended.wait(self.heartbeat_period):
            self._publisher.publish(String(data=f'{self._id} alive'))
"""


@pytest.fixture
def bondpy(tmp_path, monkeypatch):
    """Return a function that lets processes find a module in the place of bondpy."""

    def bondpy(source):
        package = tmp_path / 'python' / 'bondpy'
        package.mkdir(parents=True)
        (package / '__init__.py').touch()
        (package / 'bondpy.py').write_text(source)
        monkeypatch.setenv('PYTHONPATH', str(package.parent))

    return bondpy


@pytest.fixture
def graph(tmp_path):
    with Graph(tmp_path) as graph:
        yield graph


def start(graph, **parameters):
    return graph.start(
        's2r_depth_ros.program',
        'depth_node',
        *ros_arguments(weights='random', device='cpu', **parameters),
        '-r',
        '__node:=front_depth',
    )


def change(graph, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    assert graph.call(ChangeState, '/front_depth/change_state', request).success


def test_a_managed_node_has_a_bond_of_its_name_while_it_is_active(graph, bondpy):
    bondpy(STAND_IN)
    start(graph, autostart='false')
    signs = graph.collect(String, '/bond')
    change(graph, Transition.TRANSITION_CONFIGURE)
    assert graph.node.count_publishers('/bond') == 0
    for _ in range(2):
        signs.clear()
        change(graph, Transition.TRANSITION_ACTIVATE)
        graph.wait(lambda: len(signs) >= 3, 'three signs of life')
        assert {sign.data for sign in signs} == {'front_depth alive'}
        change(graph, Transition.TRANSITION_DEACTIVATE)
        graph.wait(lambda: signs[-1].data == 'front_depth dead', 'the end of the bond')


def test_a_node_that_starts_itself_has_no_bond(graph, bondpy):
    bondpy(STAND_IN)
    process = start(graph)
    graph.wait(lambda: ' publishes /diagnostics\n' in process.output, 'the activation')
    assert graph.node.count_publishers('/bond') == 0
    assert 'bond' not in process.output


def test_without_bondpy_a_managed_node_works_and_says_what_to_do(graph, bondpy):
    bondpy("raise ImportError('as if it were not installed')")
    process = start(graph, autostart='false')
    change(graph, Transition.TRANSITION_CONFIGURE)
    change(graph, Transition.TRANSITION_ACTIVATE)
    graph.wait(lambda: 'bondpy is not installed: set bond_timeout' in process.output, 'the advice')
