"""The short form of ``make soak``: the same run with fewer frames."""

from soak import soak


def test_the_node_neither_grows_nor_leaks_nor_loses_count(tmp_path):
    report = soak(frames=11_000, rate_hz=250, folder=tmp_path)
    assert not report.faults(), f'\n{report}'
    assert report.bad > 50
    assert report.published.total() > 100
