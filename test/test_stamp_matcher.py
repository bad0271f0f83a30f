"""Messages of one image are found by their stamps."""

from types import SimpleNamespace

from s2r_depth_ros.ros.stamp_matcher import StampMatcher


def message(sec, nanosec=0, name=''):
    stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), name=name)


def test_a_set_is_given_once_when_it_is_complete_whatever_the_order():
    matcher = StampMatcher(['image', 'depth'], 10)
    early, late, depth = message(1), message(2), message(2)
    assert matcher.add('image', late) is None
    assert matcher.add('image', early) is None
    assert matcher.add('depth', depth) == {'image': late, 'depth': depth}
    assert matcher.add('depth', message(2)) is None  # it begins anew


def test_nanoseconds_tell_stamps_apart():
    matcher = StampMatcher(['image', 'depth'], 10)
    assert matcher.add('image', message(1, 5)) is None
    assert matcher.add('depth', message(1, 6)) is None


def test_a_topic_that_is_not_needed_comes_along_if_it_is_in_time():
    matcher = StampMatcher(['depth'], 10)
    image = message(1)
    assert matcher.add('image', image) is None
    assert matcher.add('depth', message(1))['image'] is image
    assert [*matcher.add('depth', message(2))] == ['depth']


def test_of_too_many_incomplete_sets_the_first_is_given_up():
    matcher = StampMatcher(['image', 'depth'], 2)
    for sec in (3, 2, 1):
        matcher.add('image', message(sec))
    assert matcher.add('depth', message(3)) is None  # and 2 is given up for it
    assert matcher.add('depth', message(1)) is not None


def test_the_newest_of_a_topic_counts():
    matcher = StampMatcher(['image', 'depth'], 2)
    matcher.add('image', message(1, name='old'))
    matcher.add('image', message(1, name='new'))
    assert matcher.add('depth', message(1))['image'].name == 'new'
