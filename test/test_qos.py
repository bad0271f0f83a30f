"""Overrides of the quality of service, and publishers that do not match a subscription."""

import pytest
import rclpy
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import Graph, next_domain_id
from sensor_msgs.msg import CompressedImage, Image

from s2r_depth_ros.ros import qos

TOPIC = '/front/image_raw'
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def make_node():
    """Return a maker of nodes with overrides, whose camera/image is remapped."""
    context = Context()
    rclpy.init(context=context, domain_id=next_domain_id())
    nodes = []

    def make(overrides):
        nodes.append(
            rclpy.create_node(
                'node',
                context=context,
                cli_args=['--ros-args', '-r', f'camera/image:={TOPIC}'],
                parameter_overrides=[
                    Parameter(f'qos_overrides.{name}', value=value)
                    for name, value in overrides.items()
                ],
            )
        )
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


def open_topics(node):
    """Make a subscription and a publisher as the nodes do, and return the subscription."""
    qos.check_values(node)
    subscription = node.create_subscription(
        Image, 'camera/image', print, **qos.sensor_data(node, 'camera/image', 1)
    )
    node.create_publisher(Image, 'depth', **qos.reliable())
    qos.check_use(node)
    return subscription


def test_every_policy_of_a_subscription_is_overridden_by_its_remapped_name(make_node):
    profile = open_topics(
        make_node(
            {
                f'{TOPIC}.subscription.{policy}': value
                for policy, value in {
                    'history': 'keep_all',
                    'depth': 7,
                    'reliability': 'RELIABLE',
                    'liveliness': 'automatic',
                    'durability': 'transient_local',
                    'deadline': 2 * 10**9,
                    'liveliness_lease_duration': 3 * 10**9,
                }.items()
            }
        )
    ).qos_profile
    assert (profile.history.name, profile.depth) == ('KEEP_ALL', 7)
    assert profile.reliability == ReliabilityPolicy.RELIABLE
    assert profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert profile.liveliness.name == 'AUTOMATIC'
    assert profile.deadline.nanoseconds == 2 * 10**9
    assert profile.liveliness_lease_duration.nanoseconds == 3 * 10**9


def test_what_a_node_declares_of_its_qos_may_be_given_to_it(make_node):
    node = make_node({})
    open_topics(node)
    declared = {
        name: each.value for name, each in node.get_parameters_by_prefix('qos_overrides').items()
    }
    assert len(declared) == 15  # eight policies, of which a subscription has no lifespan
    open_topics(make_node(declared))


def test_transient_local_makes_a_subscription_reliable(make_node):
    profile = open_topics(
        make_node({f'{TOPIC}.subscription.durability': 'transient_local'})
    ).qos_profile
    assert profile.reliability == ReliabilityPolicy.RELIABLE


@pytest.mark.parametrize(
    ('name', 'value', 'fault'),
    [
        ('/front/imageraw.subscription.durability', 'volatile', 'no such topic; the topics are'),
        ('/camera/image.subscription.depth', 3, f'{TOPIC}.subscription'),
        ('front/image_raw.subscription.depth', 3, f'{TOPIC}.subscription'),
        (f'{TOPIC}.publisher.depth', 3, 'no such topic'),
        (f'{TOPIC}.subscription.priority', 3, 'expected one of history, depth, reliability'),
        (f'{TOPIC}.subscription.lifespan', 3, 'of no policy that a subscription has'),
        (f'{TOPIC}.reliability', 'reliable', 'expected qos_overrides.TOPIC.publisher.POLICY'),
        (f'{TOPIC}.subscription.durability', 'transient', "got 'transient'"),
        (f'{TOPIC}.subscription.reliability', 'unknown', 'best_effort'),
        (f'{TOPIC}.subscription.depth', 0, 'at least 1, got 0'),
        (f'{TOPIC}.subscription.depth', -1, 'at least 1, got -1'),
        (f'{TOPIC}.subscription.depth', 'ten', "got 'ten'"),
        ('/depth.publisher.lifespan', 1.5, 'whole number of nanoseconds'),
    ],
)
def test_an_override_that_does_nothing_is_refused_by_name(make_node, name, value, fault):
    with pytest.raises(qos.QoSOverrideError, match=f'qos_overrides.{name}') as refusal:
        open_topics(make_node({name: value}))
    assert fault in str(refusal.value)
    assert '\n' not in str(refusal.value)


@pytest.mark.parametrize('endpoint', [f'{TOPIC}.subscription', '/depth.publisher'])
def test_transient_local_and_best_effort_contradict_each_other(make_node, endpoint):
    with pytest.raises(Exception, match='transient_local has no effect with') as refusal:
        open_topics(
            make_node(
                {
                    f'{endpoint}.durability': 'transient_local',
                    f'{endpoint}.reliability': 'best_effort',
                }
            )
        )
    assert endpoint.split('.')[0] in str(refusal.value)


def test_overrides_of_what_every_node_has_do_not_stop_it(make_node):
    open_topics(make_node({'/clock.subscription.depth': 3}))


def test_publishers_are_counted_and_what_is_wrong_with_them_is_said(tmp_path, request):
    with Graph(tmp_path) as graph:
        node = graph.node
        subscription = node.create_subscription(Image, 'image', print, 1)
        assert qos.publishers_of(node, subscription) == ('/image has 0 publishers', 0)
        steps = [
            (
                (CompressedImage, 1),
                0,
                '/image has 1 publisher, of sensor_msgs/msg/CompressedImage '
                'instead of sensor_msgs/msg/Image',
            ),
            ((Image, BEST_EFFORT), 0, 'incompatible QoS (Best effort publisher and reliable'),
            ((Image, 1), 1, '/image has 3 publishers'),
        ]
        for count, ((kind, profile), fit, text) in enumerate(steps, 1):
            context = Context()  # a participant has one type for a topic
            rclpy.init(context=context, domain_id=graph.domain_id)
            request.addfinalizer(context.shutdown)
            other = rclpy.create_node('other', context=context)
            request.addfinalizer(other.destroy_node)
            other.create_publisher(kind, 'image', profile)
            graph.wait(
                lambda count=count: node.count_publishers('/image') == count, 'the publisher'
            )
            publishers = qos.publishers_of(node, subscription)
            assert text in publishers.text
            assert publishers.fit == fit
