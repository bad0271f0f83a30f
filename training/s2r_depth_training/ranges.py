"""Check of numeric settings."""

import math
import operator


def check_ranges(
    settings: object,
    *names: str,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> None:
    """
    Raise unless each setting is a finite number in its range, or None.

    :param settings: the object with these attributes.
    :param names: the names of the settings.
    :param least: smallest value allowed.
    :param above: every value must be larger than this.
    :param most: largest value allowed.
    :param below: every value must be smaller than this.
    :raises ValueError: the first setting that is outside.
    """
    for name in names:
        value = getattr(settings, name)
        if value is None:
            continue
        limits = ' and '.join(
            f'{word} {limit:g}'
            for word, fits, limit in (
                ('at least', operator.ge, least),
                ('above', operator.gt, above),
                ('at most', operator.le, most),
                ('below', operator.lt, below),
            )
            if limit is not None and not fits(value, limit)
        )
        if not math.isfinite(value):
            limits = 'a finite number'
        if limits:
            raise ValueError(f'{name} must be {limits}, got {value}')
