"""The slope of a quantity is found in noise, and what only looks like a leak is not taken for one."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from soak.trend import Point, trend

_STEP = 5.0
_MIB = 1_048_576.0


def series(seconds: float, value: Callable[[float], float], *, noise: float = 0.0, seed: int = 1) -> list[Point]:
    """Return samples of a function of the time, with noise that is drawn from a seed."""
    generator = random.Random(seed)
    times = [number * _STEP for number in range(int(seconds / _STEP))]
    return [(at, value(at) + generator.gauss(0, noise)) for at in times]


def drifting(seconds: float, noise: float, seed: int) -> list[Point]:
    """Return a level whose neighboring samples are similar, as those of memory are."""
    generator, value, points = random.Random(seed), 0.0, []
    for number in range(int(seconds / _STEP)):
        value = 0.7 * value + generator.gauss(0, noise)
        points.append((number * _STEP, 100 * _MIB + value))
    return points


@pytest.mark.parametrize("seed", range(20))
def test_flat_series_with_noise_has_a_slope_of_zero(seed: int) -> None:
    """Noise around a level, also if neighbors are similar, is not a leak."""
    found = trend([drifting(3_600, _MIB, seed)])
    assert found is not None
    assert not found.exceeds(0)
    assert found.low < 0 < found.high


def test_leak_in_noise_is_found_with_its_slope() -> None:
    """6 MiB per hour are found in noise of 1 MiB, and the interval contains the true slope."""
    found = trend([series(3_600, lambda at: 6 * _MIB * at / 3_600, noise=_MIB)])
    assert found is not None
    assert found.exceeds(_MIB)
    assert found.low < 6 * _MIB < found.high
    assert found.slope == pytest.approx(6 * _MIB, rel=0.1)


def test_leak_of_short_lifetimes_is_found_in_their_sum() -> None:
    """A leak that no single short lifetime shows is found in ten of them, although each begins at another level."""
    lifetimes = [
        series(300, partial(lambda level, at: level * _MIB + 8 * _MIB * at / 3_600, level), noise=_MIB / 2, seed=level)
        for level in range(10)
    ]
    single = trend(lifetimes[:1])
    together = trend(lifetimes)
    assert single is not None
    assert together is not None
    assert not single.exceeds(0)
    assert together.exceeds(0)


def test_lifetimes_at_other_levels_are_not_a_leak() -> None:
    """Each new process begins higher than the one before, but none of them grows."""
    found = trend(
        [series(600, partial(lambda level, _: level * 10.0, level), noise=1, seed=level) for level in range(8)]
    )
    assert found is not None
    assert not found.exceeds(0)


@pytest.mark.parametrize("at_share", [0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
def test_step_is_not_a_leak(at_share: float) -> None:
    """A cache that is filled once, at any time, does not keep rising."""
    found = trend([series(3_600, lambda at: 100 + 20 * (at >= 3_600 * at_share), noise=1)])
    assert found is not None
    assert not found.exceeds(0)


@pytest.mark.parametrize("period", [120, 400, 900])
def test_sawtooth_is_not_a_leak(period: int) -> None:
    """Memory that is freed again and again has no slope."""
    found = trend([series(3_600, lambda at: 100 + 30 * (at % period) / period, noise=1)])
    assert found is not None
    assert not found.exceeds(0)


def test_sawtooth_that_climbs_is_a_leak() -> None:
    """What is not freed at the end of each period adds up."""
    found = trend([series(3_600, lambda at: 100 + 10 * (at % 300) / 300 + 40 * at / 3_600, noise=1)])
    assert found is not None
    assert found.exceeds(10)


def test_rare_steps_of_a_counter_are_a_leak() -> None:
    """A descriptor that is left open every ten minutes is found within an hour."""
    found = trend([series(3_600, lambda at: 20 + at // 600)])
    assert found is not None
    assert found.exceeds(1)


def test_constant_series_has_no_interval() -> None:
    """A number that never changes has a slope of exactly zero."""
    found = trend([series(3_600, lambda _: 17)])
    assert found is not None
    assert (found.slope, found.low, found.high, found.level) == (0, 0, 0, 17)


def test_peaks_are_ignored() -> None:
    """A few samples that are far too high, such as during a fork of Redis, do not change the slope."""
    found = trend([series(3_600, lambda at: 900.0 if at % 500 == 0 else 10 + 5 * at / 3_600, noise=0.1)])
    assert found is not None
    assert found.slope == pytest.approx(5, rel=0.1)


def test_short_lifetimes_say_nothing() -> None:
    """With fewer than four blocks there is no answer."""
    assert trend([series(60, lambda at: at)]) is None
    assert trend([]) is None
