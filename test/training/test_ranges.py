"""Numbers out of their range are refused with the range that they break."""

from types import SimpleNamespace

import pytest

from s2r_depth_training.ranges import check_ranges


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (-0.1, 'share must be at least 0, got -0.1'),
        (1, 'share must be below 1, got 1'),
        (float('nan'), 'share must be a finite number, got nan'),
        (float('inf'), 'share must be a finite number, got inf'),
    ],
)
def test_a_number_out_of_its_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        check_ranges(SimpleNamespace(share=value), 'share', least=0, below=1)


@pytest.mark.parametrize('value', [0, 0.999, None])
def test_a_number_in_its_range_and_none_pass(value):
    check_ranges(SimpleNamespace(share=value), 'share', least=0, below=1)


def test_a_limit_that_is_not_allowed_itself_is_refused():
    with pytest.raises(ValueError, match='rate must be above 0, got 0'):
        check_ranges(SimpleNamespace(rate=0), 'rate', above=0)
    with pytest.raises(ValueError, match='rate must be at most 1, got 2'):
        check_ranges(SimpleNamespace(rate=2), 'rate', most=1)
