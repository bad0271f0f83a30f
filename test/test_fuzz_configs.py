"""Parameter files of the node and configs of the training with anything in them."""

import contextlib
from dataclasses import fields
import io
import math
import os
import sys

from fuzzing import budget
from hypothesis import given
from hypothesis import strategies as st
import pytest
import rclpy
from rclpy.context import Context
from rclpy.exceptions import ParameterException
from rclpy.parameter import Parameter
from ros_graph import next_domain_id
import yaml

from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.node import parameters as node_parameters
from s2r_depth_ros.ros.session import check_command_line
from s2r_depth_training import cli
from s2r_depth_training.config import Config

NAMES = [item.name for item in fields(Parameters)]
INT64 = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.one_of(st.floats(), INT64, st.sampled_from([0, 1, -1, 16, 96, 10**9, 1e308, 5e-324]))
TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ['', 'random', 'cuda:99', 'cpu', '/etc/passwd', 'x' * 10_000, '../..', 'network', 'a/b']
    ),
)
VALUES = st.one_of(
    st.booleans(),
    NUMBERS,
    TEXT,
    st.lists(TEXT, max_size=3),
    st.lists(INT64, max_size=3),
    st.lists(st.floats(), max_size=3),
)


@pytest.fixture(scope='module')
def context():
    context = Context()
    rclpy.init(context=context, domain_id=next_domain_id())
    yield context
    rclpy.shutdown(context=context)


def check(parameters):
    """What was accepted must be what the node can compute with."""
    for item in fields(parameters):
        value = getattr(parameters, item.name)
        assert not isinstance(value, float) or math.isfinite(value), item.name
    assert 0 <= parameters.min_depth < parameters.max_depth
    assert parameters.cameras


@given(values=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))
@budget(100)
def test_parameters_are_refused_in_words_or_make_sense(context, values):
    overrides = []
    for name, value in values.items():
        try:
            overrides.append(Parameter(name, value=value))
        except (TypeError, ValueError, AssertionError):  # no ROS parameter holds it
            continue
    node = rclpy.create_node('depth_node', context=context, parameter_overrides=overrides)
    try:
        parameters = Parameters(**node_parameters.declare(node))
    except (ParameterException, ValueError):  # what main() says in one line
        return
    finally:
        node.destroy_node()
    check(parameters)


@given(changes=st.lists(st.tuples(st.sampled_from([*NAMES, 'use_sim_time']), VALUES), max_size=4))
@budget(300)
def test_parameters_set_at_run_time_are_refused_in_words_or_make_sense(node, changes):
    for name, value in changes:
        try:
            parameter = Parameter(name, value=value)
        except (TypeError, ValueError, AssertionError):
            continue
        (result,) = node.set_parameters([parameter])
        assert result.successful or result.reason
        check(node.parameters)


@pytest.fixture(scope='module')
def node(context):
    node = rclpy.create_node('depth_node', context=context)
    node.parameters = Parameters(**node_parameters.declare(node))

    def change(changes):
        node.parameters, result = node_parameters.changed(node.parameters, changes)
        return result

    node.add_on_set_parameters_callback(change)
    yield node
    node.destroy_node()


@given(
    content=st.one_of(
        st.binary(max_size=100),
        st.builds(
            lambda name, value: yaml.safe_dump({name: {'ros__parameters': value}}).encode(),
            st.sampled_from(['depth_node', '/**', '', 'x' * 300]),
            st.recursive(
                VALUES,
                lambda inner: st.one_of(
                    st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
                    st.lists(inner, max_size=3),
                ),
                max_leaves=6,
            ),
        ),
        st.sampled_from([b'', b'a', b'[', b'&a [*a]', b'? [a]: b', b'- ' * 1000, b'{' * 200]),
    )
)
@budget(150)
def test_a_parameter_file_is_read_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / 'parameters.yaml'
    file.write_bytes(content)
    arguments = ['--ros-args', '--params-file', str(file)]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            check_command_line('depth_node', '', arguments)
    except SystemExit as left:
        status = left.code
    else:
        status = 0
        own = Context()
        rclpy.init(args=arguments, context=own, domain_id=next_domain_id())
        rclpy.shutdown(context=own)
    assert status in (0, 2)


SECTIONS = {
    field.name: [inner.name for inner in fields(field.default_factory)]
    for field in fields(Config)
    if callable(field.default_factory)
}
TREES = st.recursive(
    st.one_of(st.none(), VALUES, st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=5), INT64, st.sampled_from(['class_path', 'init_args'])),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)


@st.composite
def configs(draw):
    """A config that is right, but for a few settings."""
    content = {'run_dir': 'run'}
    for _ in range(draw(st.integers(1, 3))):
        section = draw(st.sampled_from(sorted(SECTIONS)))
        if draw(st.integers(0, 3)) == 0:
            content[draw(st.one_of(st.just(section), st.text(max_size=5)))] = draw(TREES)
        else:
            settings = content.setdefault(section, {})
            if isinstance(settings, dict):
                settings[draw(st.sampled_from(SECTIONS[section]))] = draw(TREES)
    return yaml.safe_dump(content)


HOSTILE = [
    '!!python/object/apply:os.system ["touch ran"]',
    'run_dir: !!python/name:os.system',
    'data: {class_path: os.system, init_args: {command: touch ran}}',
    '[' * 5000,
    '&a [*a]',
    'run_dir: ${oc.env:HOME}',
    '\0',
    'a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]',
]
seen: list[str] | None = None


def listen(event, arguments):
    if seen is not None and event in ('os.system', 'os.exec', 'subprocess.Popen', 'os.fork'):
        seen.append(event)


sys.addaudithook(listen)


def parses_or_is_refused(content, folder):
    global seen
    file = folder / 'config.yaml'
    file.write_text(content, encoding='utf-8', errors='surrogatepass')
    seen, said, status = [], io.StringIO(), 0
    try:
        with contextlib.redirect_stderr(said):
            cli.parse('all', ['--config', str(file)])
    except SystemExit as left:
        status = left.code
    finally:
        events, seen = seen, None
    assert status == 0 or status == 2 and 'error' in said.getvalue()
    assert not events
    assert not os.path.exists('ran')


@given(content=st.one_of(configs(), st.text(max_size=50)))
@budget(25)
def test_a_training_config_is_read_or_refused(tmp_path_factory, content):
    parses_or_is_refused(content, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize('content', HOSTILE)
def test_a_training_config_runs_nothing(tmp_path, content):
    parses_or_is_refused(content, tmp_path)
