"""A precision that is slow on this CPU: one warning, and WARN in the diagnostics."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from ros_graph import Graph

from s2r_depth_ros.engine import torch_engine
from s2r_depth_ros.node.depth_node import DepthNode


def test_bfloat16_on_a_cpu_without_the_instructions_is_one_warning(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(torch_engine, '_cpu_computes_in_bfloat16', lambda: False)
    with Graph(tmp_path) as graph:
        told = graph.collect(DiagnosticArray, '/diagnostics')
        node = DepthNode(
            context=graph.context,
            parameter_overrides=[
                Parameter('precision', value='bfloat16'),
                Parameter('device', value='cpu'),
            ],
        )
        graph.add(node)
        try:
            node.autostart()
            graph.wait(
                lambda: any(
                    status.level == DiagnosticStatus.WARN
                    and 'slower than float32' in status.message
                    for message in told
                    for status in message.status
                ),
                'WARN of the network',
            )
        finally:
            node.close()
            node.destroy_node()
    # Not from /rosout, which stayed silent in a process that had had other contexts.
    logged = capfd.readouterr().err
    assert logged.count('slower than float32') == 1
    assert 'use float32' in logged
