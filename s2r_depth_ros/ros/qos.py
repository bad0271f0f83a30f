"""QoS profiles of this package's topics; ``qos_overrides`` parameters can change each."""

from __future__ import annotations

from collections.abc import Mapping
import re
from typing import Any, NamedTuple

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    qos_check_compatible,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from .message_types import filled

_PREFIX = 'qos_overrides.'
_NAME = re.compile(re.escape(_PREFIX) + r'([^.]+)\.(publisher|subscription)\.([^.]+)')
_POLICIES = tuple(
    kind
    for kind in (
        QoSPolicyKind.HISTORY,
        QoSPolicyKind.DEPTH,
        QoSPolicyKind.RELIABILITY,
        QoSPolicyKind.DURABILITY,
        QoSPolicyKind.DEADLINE,
        QoSPolicyKind.LIFESPAN,
        QoSPolicyKind.LIVELINESS,
        QoSPolicyKind.LIVELINESS_LEASE_DURATION,
    )
)
_CHOICES = {
    'history': HistoryPolicy,
    'reliability': ReliabilityPolicy,
    'durability': DurabilityPolicy,
    'liveliness': LivelinessPolicy,
}
# Every node has these topics. rclcpp accepts overrides of them, rclpy does not. A file for all
# nodes of a robot can contain some.
_EVERY_NODES_TOPICS = ('/clock', '/parameter_events', '/rosout')


class Publishers(NamedTuple):
    """
    The publishers of a subscription's topic.

    :param text: the topic, the number of its publishers, and their faults.
    :param fit: the number of publishers that can reach the subscription.
    """

    text: str
    fit: int


class QoSOverrideError(ValueError):
    """An override is invalid or has no effect; the message names it and the reason."""


def sensor_data(node: Node, topic: str, depth: int) -> dict[str, Any]:
    """
    Return the arguments of a subscription to sensor data.

    :param node: the node with the overrides.
    :param topic: the topic name as passed to ``create_subscription``.
    :param depth: the number of messages in the queue.
    """
    profile = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
    # Only reliable subscriptions receive messages sent before they existed.
    name = f'{_PREFIX}{node.resolve_topic_name(topic)}.subscription.durability'
    if str(given_parameters(node).get(name)).lower() == 'transient_local':
        profile.reliability = ReliabilityPolicy.RELIABLE
    return _overridable(profile)


def reliable() -> dict[str, Any]:
    """Return the arguments of a publisher for reliable and best-effort subscriptions."""
    return _overridable(QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE))


def check_values(node: Node) -> None:
    """
    Check the form and the value of every override; call this before topics are created.

    :raises QoSOverrideError: if an override is invalid; the message names each one.
    """
    faults = [
        f'{name} {fault}'
        for name, value in _overrides(node).items()
        if (fault := _fault(name, value))
    ]
    if faults:
        raise QoSOverrideError('; '.join(faults))


def check_use(node: Node) -> None:
    """
    Check that every override is of a topic of ``node``; call this when all topics exist.

    Overrides of topics that every node has, such as /clock, only cause a warning.

    :raises QoSOverrideError: if an override has no effect; the message names each one, and the
        topics that exist.
    """
    idle = [name for name in _overrides(node) if not node.has_parameter(name)]
    common = [name for name in idle if _topic(name) in _EVERY_NODES_TOPICS]
    if common:
        node.get_logger().warning(
            f'{", ".join(common)}: has no effect, because rclpy fixes the QoS of this topic'
        )
    wrong = sorted(set(idle) - set(common))
    if wrong:
        raise QoSOverrideError(
            f'{", ".join(wrong)}: has no effect, since there is no such topic; the topics are '
            + ', '.join(_overridable_topics(node))
        )


def publishers_of(node: Node, subscription: Subscription) -> Publishers:
    """
    Return the number of publishers of a subscription's topic, and their faults.

    :param node: the node of the subscription.
    """
    topic = subscription.topic_name
    kind: Any = subscription.msg_type
    type_name = f'{kind.__module__.split(".")[0]}/msg/{kind.__name__}'
    endpoints = node.get_publishers_info_by_topic(topic)
    count = f'{topic} has {len(endpoints)} publisher{"s" * (len(endpoints) != 1)}'
    faults = []
    for endpoint in endpoints:
        compatibility, reason = qos_check_compatible(
            endpoint.qos_profile, subscription.qos_profile
        )
        if endpoint.topic_type != type_name:
            faults.append(f'of {endpoint.topic_type} instead of {type_name}')
        elif compatibility == QoSCompatibility.ERROR:
            clauses = [clause.removeprefix('ERROR: ') for clause in reason.split(';') if clause]
            faults.append(f'of an incompatible QoS ({"; ".join(clauses)})')
    return Publishers(', '.join([count, *dict.fromkeys(faults)]), fit=len(endpoints) - len(faults))


def given_parameters(node: Node) -> Mapping[str, Any]:
    """Return the parameters of command line and files for ``node``, declared or not."""
    return {  # rclpy has no public access to them
        name: item.value for name, item in getattr(node, '_parameter_overrides', {}).items()
    }


def _overrides(node: Node) -> dict[str, Any]:
    return {
        name: value for name, value in given_parameters(node).items() if name.startswith(_PREFIX)
    }


def _overridable_topics(node: Node) -> list[str]:
    names = node.get_parameters_by_prefix(_PREFIX.rstrip('.'))
    return sorted({name.rpartition('.')[0] for name in names})


def _topic(name: str) -> str:
    return name.removeprefix(_PREFIX).split('.')[0]


def _fault(name: str, value: Any) -> str:
    """Return the fault in the form or the value of an override, '' if there is none."""
    match = _NAME.fullmatch(name)
    if match is None:
        return (
            f'is no override: expected {_PREFIX}TOPIC.publisher.POLICY or '
            f'{_PREFIX}TOPIC.subscription.POLICY'
        )
    topic, entity, policy = match.groups()
    policies = [
        kind.name.lower()
        for kind in _POLICIES
        if entity == 'publisher' or kind != QoSPolicyKind.LIFESPAN
    ]
    if topic in _EVERY_NODES_TOPICS:
        return ''
    if policy not in policies:
        return f'is of no policy that a {entity} has: expected one of {", ".join(policies)}'
    if policy in _CHOICES:
        choices = [
            choice.lower() for choice in _CHOICES[policy].__members__ if choice != 'UNKNOWN'
        ]
        if str(value).lower() not in choices:
            return f'must be one of {", ".join(choices)}, got {value!r}'
        return ''
    least, unit = (1, '') if policy == 'depth' else (0, ' of nanoseconds')
    if type(value) is not int or value < least:
        return f'must be a whole number{unit}, at least {least}, got {value!r}'
    return ''


def _overridable(profile: QoSProfile) -> dict[str, Any]:
    """Return new arguments for each call, because an override changes the profile object."""
    return {
        'qos_profile': profile,
        'qos_overriding_options': QoSOverridingOptions(_POLICIES, callback=_check_profile),
    }


def _check_profile(profile: QoSProfile) -> SetParametersResult:
    if (
        profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        and profile.reliability == ReliabilityPolicy.BEST_EFFORT
    ):
        return filled(
            SetParametersResult,
            successful=False,
            reason='durability transient_local has no effect with reliability best_effort: '
            'expected reliability reliable',
        )
    return filled(SetParametersResult, successful=True)
