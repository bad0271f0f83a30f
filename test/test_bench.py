"""The benchmarks: what they count by hand, table and files, the node over DDS; no times."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks import around, network, timing
from benchmarks import cli as benchmarks
from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_ros.network import Architecture
from s2r_depth_ros.ros.compat import read_points
from s2r_depth_ros.ros.message_types import Header
from s2r_depth_ros.ros.messages import depth_to_image, points_to_cloud

SMALL = [
    '--weights',
    'random',
    '--device',
    'cpu',
    '--seconds',
    '0',
    '--threads',
    '1',
    '--image-size',
    '160x96',
    '--network-size',
    '160x96',
]


def bench(*arguments):
    return benchmarks.main(arguments)


def test_functions_are_measured_in_turn_after_a_round_that_does_not_count():
    called = []
    times_ms = timing.timed([lambda: called.append('a'), lambda: called.append('b')], 0.0)
    assert called == ['a', 'b'] * (timing.LEAST_RUNS + 1)
    assert [each.shape for each in times_ms] == [(timing.LEAST_RUNS,)] * 2
    assert all((each >= 0).all() for each in times_ms)


def test_the_load_of_others_is_what_is_busy_and_not_ours(monkeypatch):
    # Seconds of all cores busy, of all cores idle, and of this process.
    used_s = iter([(10.0, 90.0, 5.0), (20.0, 100.0, 9.0)])
    monkeypatch.setattr(timing.OtherLoad, '_used_s', lambda self: next(used_s))
    assert timing.OtherLoad().percent() == pytest.approx(30.0)  # (10 - 4) of 20


def test_a_row_has_median_and_p95():
    row = timing.Measurement.of('section', 'name', list(range(101)), GFLOP=2.0)
    assert (row.median_ms, row.p95_ms, row.values) == (50, 95, {'GFLOP': 2.0})


def test_the_operations_of_the_parts_are_those_of_the_design_page():
    found = network.part_gflop(Architecture.preset('compact'), (192, 640))
    assert {name: round(value, 2) for name, value in found.items()} == {
        'structure_encoder': 1.67,
        'structure_decoder': 0.33,
        'attention': 1.65,
        'depth': 2.04,
        'whole': 5.7,
    }


def test_the_naive_way_makes_the_same_messages():
    rng = np.random.default_rng(0)
    depth_m = rng.uniform(1, 50, (6, 8)).astype(np.float32)
    depth_m[0, 0], depth_m[1, 1] = np.inf, np.nan
    rgb = rng.integers(0, 256, (6, 8, 3), np.uint8)
    k = np.array([[10.0, 0, 4], [0, 10.0, 3], [0, 0, 1]])
    assert around.naive_depth_message(depth_m).data == depth_to_image(depth_m, Header()).data
    ours, naive = (
        read_points(cloud, ('x', 'y', 'z', 'rgb')).reshape(-1)
        for cloud in (
            points_to_cloud(back_project(depth_m, k), rgb, Header()),
            around.naive_cloud(depth_m, k, rgb),
        )
    )
    for axis in 'xyz':
        np.testing.assert_allclose(naive[axis], ours[axis], rtol=1e-5)
    assert np.array_equal(naive['rgb'].view(np.uint32), ours['rgb'].view(np.uint32))


def test_the_naive_way_around_the_network_gives_the_same_depth():
    rgb = around.picture(456, 600)  # of the network's shape: nothing is cut off
    size_px = around.NETWORK_SIZE_PX
    ramp = torch.linspace(-0.9, 0.5, size_px[0] * size_px[1]).view(1, 1, *size_px)
    predictor = around.DepthPredictor(around.NoNetwork(ramp), around.PUBLISHED, 'cpu')
    predictor.network_size_px = size_px
    (ours,) = predictor.run([rgb], sharp_edges=False)
    naive = around.naive_prediction(predictor.engine.network, rgb)
    np.testing.assert_allclose(ours.depth_m, naive, atol=1e-3)
    assert ours.depth_m.std() > 1


def test_what_scan_and_obstacles_add_is_a_ratio_to_the_outputs_without_them(tmp_path):
    out, threads = tmp_path / 'outputs.json', torch.get_num_threads()
    try:
        assert bench('outputs', *SMALL, '--json', str(out)) == 0
    finally:
        torch.set_num_threads(threads)
    rows = json.loads(out.read_text())['rows']
    assert rows[0]['values'] == {'times the first': 1.0}
    assert len(rows) == 6
    assert all(row['median_ms'] > 0 for row in rows)


def test_the_table_and_the_file_have_every_part_and_a_later_run_shows_both(tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        first, second = tmp_path / 'first.json', tmp_path / 'second.json'
        small = (*SMALL, '--engine', 'torch')
        assert bench('network', *small, '--json', str(first)) == 0
        assert bench('network', *small, '--json', str(second), '--against', str(first)) == 0
    finally:
        torch.set_num_threads(threads)
    rows = json.loads(second.read_text())['rows']
    assert [row['name'].split(',')[0] for row in rows] == [
        'Es',
        'Ds',
        'DSA',
        'DP',
        'whole',
        'image to depth',
        'matrix product',
    ]
    assert all(row['values']['GFLOP/s'] > 0 for row in rows if row['values'])
    assert all(row['p95_ms'] >= row['median_ms'] > 0 for row in rows[:-1])
    printed = capsys.readouterr().out
    before = json.loads(first.read_text())['rows'][0]['median_ms']
    assert f'{before:7.2f} ms' in printed.split('before')[1]


def test_the_node_is_measured_over_dds(tmp_path, capfd):
    out = tmp_path / 'node.json'
    assert bench('node', *SMALL, '--rate', '20', '--json', str(out)) == 0, capfd.readouterr()
    rows = {row['name']: row for row in json.loads(out.read_text())['rows']}
    for output in ('depth/image', 'depth/camera_info', 'depth/points'):
        assert rows[f'age of {output} when received']['median_ms'] > 0
    depth = rows['depth images, all cameras']['values']
    assert depth['Hz'] * depth['longest gap (ms)'] >= 999.9  # no gap is longer than the longest
    assert rows['node process']['values']['memory (MB)'] > 100


@pytest.mark.parametrize(
    ('arguments', 'fault'),
    [
        (['--plot', 'x.png'], 'name it'),
        (['growth', '--plot', 'x.txt'], 'takes a .png or .svg'),
        (['growth', '--plot', 'none/x.png'], 'in a folder that is there'),
        (['network', '--weights', 'nowhere'], 'nowhere'),
        (['threads', '--weights', 'nowhere'], 'nowhere'),
        (['network', '--device', 'tpu'], 'device must be'),
        (['network', '--against', 'missing.json'], 'missing.json'),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(arguments, fault, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bench(*arguments) == 1
    error = capsys.readouterr().err
    assert fault in error
    assert error.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_not_replaced(tmp_path, capsys):
    other = tmp_path / 'precious.json'
    other.write_text('{"a": 1}')
    assert bench('network', *SMALL, '--json', str(other)) == 1
    assert other.read_text() == '{"a": 1}'


def test_freed_memory_is_kept():
    """The blocks of one image are those of the one before: no page comes from the kernel anew."""
    code = (
        'import resource, numpy as np\n'
        'from s2r_depth_ros.ros.session import keep_freed_memory\n'
        'def faults():\n'
        '    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n'
        '    for _ in range(20):\n'
        '        np.ones(2 * 10**6)\n'  # 16 MB, 4000 pages
        '    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n'
        'print(faults())\n'
        'keep_freed_memory()\n'
        'faults()\n'
        'print(faults())\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < 0.1 * before
