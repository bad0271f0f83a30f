"""The security policy allows what the node does, and not a topic more."""
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ros_graph import Graph, ros_arguments

POLICY = Path(__file__).parents[1] / 'config' / 'security' / 'depth_node.policy.xml'
NODE = 'depth_node'
HAS = {
    ('topics', 'publish'): 'get_publisher_names_and_types_by_node',
    ('topics', 'subscribe'): 'get_subscriber_names_and_types_by_node',
    ('services', 'reply'): 'get_service_names_and_types_by_node'}


def allowed(kind: str, right: str) -> set[str]:
    profile = ElementTree.parse(POLICY).find('.//profile')
    return {
        f'/{item.text}'.replace('/~', f'/{NODE}/')
        for group in profile.findall(kind) if group.get(right) == 'ALLOW' for item in group}


@pytest.fixture(scope='module')
def graph(tmp_path_factory):
    with Graph(tmp_path_factory.mktemp('security')) as graph:
        graph.start('s2r_depth_ros.depth_node', *ros_arguments(weights='random', device='cpu'))
        graph.wait(lambda: graph.node.count_publishers('/camera/depth/attention'), 'the node')
        graph.wait(
            lambda: (NODE, '/') in graph.node.get_node_names_and_namespaces(), 'its name')
        yield graph


@pytest.mark.parametrize(('kind', 'right'), HAS)
def test_the_policy_is_what_the_node_has(graph, kind, right):
    def has():
        return {name for name, _ in getattr(graph.node, HAS[kind, right])(NODE, '/')}

    graph.wait(lambda: has() == allowed(kind, right), f'{right} of exactly {allowed(kind, right)}')


def test_the_node_calls_no_service(graph):
    assert graph.node.get_client_names_and_types_by_node(NODE, '/') == []
    assert not ElementTree.parse(POLICY).findall('.//services[@request]')
