"""A precision that is slow on this CPU: one warning, and WARN in the diagnostics."""
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.parameter import Parameter
from ros_graph import Graph

from s2r_depth_ros.depth_node import DepthNode
from s2r_depth_ros.engine import torch_engine


def test_bfloat16_on_a_cpu_without_the_instructions_is_one_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_engine, '_cpu_computes_in_bfloat16', lambda: False)
    with Graph(tmp_path) as graph:
        logged = graph.collect(Log, '/rosout', 100)
        told = graph.collect(DiagnosticArray, '/diagnostics')
        node = DepthNode(context=graph.context, parameter_overrides=[
            Parameter('precision', value='bfloat16'), Parameter('device', value='cpu')])
        graph.add(node)
        try:
            graph.wait(lambda: graph.node.count_subscribers('/rosout'), 'listener of the log')
            graph.wait(lambda: told, 'diagnostics')  # the graph knows the node by then
            node.autostart()
            graph.wait(lambda: any(
                status.level == DiagnosticStatus.WARN and 'slower than float32' in status.message
                for message in told for status in message.status), 'WARN of the network')
            warnings = [each.msg for each in logged if 'slower than float32' in each.msg]
            assert len(warnings) == 1
            assert 'use float32' in warnings[0]
        finally:
            node.close()
            node.destroy_node()
