"""The lifecycle, over and over and from every side; ``LONG=1`` takes 200 rounds."""

from importlib import metadata
import os
from pathlib import Path
import signal
import time

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
import rclpy
from rclpy.context import Context
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph, next_domain_id, PATIENCE_S, ros_arguments
from sensor_msgs.msg import Image
from tiny_network import write_tiny_weights

from s2r_depth_ros.node.depth_node import DepthNode

NODE = 's2r_depth_ros.node.depth_node'
LONG = bool(os.environ.get('LONG'))
ROUNDS = 200 if LONG else 25
SETTLED = 10  # rounds after which nothing may grow any more
# A library may start a thread of its pool late, once. What each other round leaves behind is more.
FEW = 3
# Few rounds show the noise of the allocator, too.
MOST_PAGES = 1.02 if LONG else 1.05
# The promise is two seconds; a busy machine that runs tests gets more.
MOST_STOP_S = 2.0 if LONG else PATIENCE_S

ROUND = (
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
)
VALID = {
    State.PRIMARY_STATE_UNCONFIGURED: {
        Transition.TRANSITION_CONFIGURE,
        Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    },
    State.PRIMARY_STATE_INACTIVE: {
        Transition.TRANSITION_ACTIVATE,
        Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_INACTIVE_SHUTDOWN,
    },
    State.PRIMARY_STATE_ACTIVE: {
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_ACTIVE_SHUTDOWN,
    },
    State.PRIMARY_STATE_FINALIZED: set(),
}


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    return write_tiny_weights(tmp_path_factory.mktemp('weights'))


@pytest.fixture
def graph(tmp_path):
    with Graph(tmp_path) as graph:
        yield graph


def change(graph, transition=0, label='', node='depth_node'):
    request = ChangeState.Request(transition=Transition(id=transition, label=label))
    return graph.call(ChangeState, f'/{node}/change_state', request).success


def state(graph, node='depth_node'):
    return graph.call(GetState, f'/{node}/get_state', GetState.Request()).current_state.id


def held(process):
    """Return how many threads, files and bytes the process holds."""
    folder = Path(f'/proc/{process.pid}')
    pages = int((folder / 'statm').read_text().split()[1])
    return [len(list((folder / 'task').iterdir())), len(list((folder / 'fd').iterdir())), pages]


def test_many_rounds_while_images_arrive_leave_nothing_behind(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny, threads=1, autostart='false'))
    publisher = graph.node.create_publisher(Image, 'camera/image', qos_profile_sensor_data)
    found = graph.collect(Image, 'camera/depth/image')
    message = Image(width=64, height=48, encoding='mono8', step=64, data=bytes(64 * 48))

    def publish():
        message.header.stamp.nanosec += 1
        publisher.publish(message)

    graph.node.create_timer(0.005, publish)
    settled = None
    for number in range(ROUNDS):
        for transition in ROUND:
            assert change(graph, transition)
            # Every other round serves an image at least, so that what the network keeps of its
            # first ones is there when the rounds have settled; the others do not wait for one.
            if transition == Transition.TRANSITION_ACTIVATE and number % 2 == 0:
                found.clear()
                graph.wait(lambda: found, f'depth in round {number}')
        if number == SETTLED:
            settled = held(process)
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    # A thread that is on its way out may still be there in either count.
    graph.wait(
        lambda: all(now <= then + FEW for now, then in zip(held(process)[:2], settled)),
        f'end of threads and files beyond {settled[:2]} and {FEW} each',
    )
    threads, files, pages = held(process)
    print(f'{threads} threads, {files} files, {pages / settled[2] - 1:+.2%} memory')
    assert pages < MOST_PAGES * settled[2]
    for transition in ROUND[:2]:
        assert change(graph, transition)
    found.clear()
    graph.wait(lambda: found, 'depth after all the rounds')
    assert process.stop() == 0
    assert 'Traceback' not in process.output


def set_parameter(graph, value, name='max_depth'):
    return (
        graph.call(
            SetParameters,
            '/depth_node/set_parameters',
            SetParameters.Request(parameters=[Parameter(name=name, value=value)]),
        )
        .results[0]
        .successful
    )


def test_every_state_refuses_what_it_does_not_allow_and_takes_parameters(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny, autostart='false'))
    for number, (here, valid) in enumerate(VALID.items()):
        assert state(graph) == here
        for transition in {*range(16), 30, 40, 50, 60, 99, 128, 255} - valid:
            assert not change(graph, transition), (here, transition)
        for label in ('destroy', 'transition_success', 'x' * 10_000, '\n', 'ünbekannt'):
            assert not change(graph, label=label), (here, label)
        assert state(graph) == here
        double = ParameterType.PARAMETER_DOUBLE
        assert set_parameter(graph, ParameterValue(type=double, double_value=20.0 + number))
        assert not set_parameter(graph, ParameterValue(type=double, double_value=float('nan')))
        assert not set_parameter(graph, ParameterValue(type=ParameterType.PARAMETER_NOT_SET))
        assert not set_parameter(
            graph,
            ParameterValue(type=ParameterType.PARAMETER_STRING, string_value='random'),
            'weights',
        )
        if here != State.PRIMARY_STATE_FINALIZED:
            onwards = {State.PRIMARY_STATE_ACTIVE: Transition.TRANSITION_ACTIVE_SHUTDOWN}
            assert change(graph, onwards.get(here, min(valid - {Transition.TRANSITION_CLEANUP})))
    assert process.stop() == 0


@pytest.mark.parametrize(
    ('version', 'is_guarded'),
    [('7.1.5', True), ('9.0.1', True), ('9.1.0', False), ('10.0.3', False), ('unknown', True)],
)
def test_invalid_transitions_are_guarded_only_where_rclpy_lets_them_through(
    monkeypatch, version, is_guarded
):
    monkeypatch.setattr(metadata, 'version', lambda _: version)
    context = Context()
    rclpy.init(context=context, domain_id=next_domain_id())
    node = DepthNode(context=context)
    (service,) = (each for each in node.services if each.srv_name.endswith('/change_state'))
    assert (service.callback.__module__ == DepthNode.__module__) == is_guarded
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_a_request_that_makes_no_sense_does_not_end_the_node(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny))
    graph.wait(lambda: graph.node.count_publishers('/camera/depth/image'), 'the node')
    for service, kind in (
        ('set_parameters', SetParameters),
        ('set_parameters_atomically', SetParametersAtomically),
    ):
        client = graph.node.create_client(kind, f'/depth_node/{service}')
        graph.wait(client.service_is_ready, service)
        # rclpy raises for a type of parameter that there is not, and does not answer.
        client.call_async(
            kind.Request(parameters=[Parameter(name='max_rate', value=ParameterValue(type=99))])
        )
        graph.wait(lambda: 'a callback failed: ValueError: 99' in process.output, 'a complaint')
    assert state(graph) == State.PRIMARY_STATE_ACTIVE
    assert process.stop() == 0


def test_a_signal_ends_it_from_every_state(graph, tiny):
    """Beside unconfigured and active, of which ``test_depth_node`` has tests."""
    walks = {
        'inactive': ROUND[:1],
        'cleaned_up': ROUND,
        'deactivated': ROUND[:3],
        'finalized': (Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,),
        'configuring': (),
    }
    processes = {
        f'{name}_{number.name}': (
            graph.start(
                NODE,
                *ros_arguments(weights=tiny, threads=1, autostart='false'),
                '-r',
                f'__node:={name}_{number.name}',
            ),
            walk,
            number,
        )
        for name, walk in walks.items()
        for number in (
            (signal.SIGINT, signal.SIGTERM)
            if LONG
            else (signal.SIGINT if len(name) % 2 else signal.SIGTERM,)
        )
    }
    for name, (process, walk, number) in processes.items():
        for transition in walk:
            assert change(graph, transition, node=name)
        if not walk:  # the answer does not come any more
            client = graph.node.create_client(ChangeState, f'/{name}/change_state')
            graph.wait(client.service_is_ready, name)
            client.call_async(ChangeState.Request(transition=Transition(id=ROUND[0])))
            graph.spin(0.05)
        children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text()
        assert not children, name
        begun_s = time.monotonic()
        assert process.stop(number) == 0, name
        stop_s = time.monotonic() - begun_s
        print(f'{name}: {stop_s:.2f} s')
        assert stop_s < MOST_STOP_S, name
        assert 'Traceback' not in process.output
