"""The lines that are drawn without a script."""

from math import nan

from financehub_shared.market.closes import Closes
from financehub_web.console.sparklines import DayLine, day_lines, line_path, outcome_bars


def test_line_path_covers_the_whole_area() -> None:
    """The line begins at the left edge, ends at the right edge, and touches the lowest and the highest point."""
    assert line_path([1, 3, 2]) == "M0.00 29.00L50.00 1.00L100.00 15.00"


def test_line_path_of_equal_values_is_in_the_middle() -> None:
    """A price that does not change is a straight line."""
    assert line_path([5, 5]) == "M0.00 15.00L100.00 15.00"


def test_line_path_leaves_out_what_is_not_a_number() -> None:
    """Values that are not finite and lines without two points are not drawn."""
    assert line_path([1, nan, 2]) == "M0.00 29.00L100.00 1.00"
    assert line_path([nan, 2]) == ""


def test_line_path_of_a_long_series_is_short() -> None:
    """The path of ten thousand values stays small, and ends with the newest one."""
    path = line_path(list(range(10_000)))
    assert path.count("L") == 399
    assert path.endswith("L100.00 1.00")


def test_outcome_bars_show_a_single_failure() -> None:
    """A failure among many runs is visible, and is a part of the bar of its hour."""
    few, none, many = outcome_bars([(10, 0), (0, 0), (1_000, 1)])
    assert (few.height, few.failed_height) == (0.3, 0.0)
    assert none.height == none.failed_height == 0.0
    assert (many.failed_y, many.failed_height, many.y, many.height) == (0.0, 2.0, 2.0, 28.0)


def test_outcome_bars_without_runs_are_not_drawn() -> None:
    """A new fleet has no bars."""
    assert outcome_bars([(0, 0)] * 24) == []


def test_day_lines_share_one_axis_of_time() -> None:
    """Points of two assets with the same time are below each other, and the axis has the length of all lines."""
    day = day_lines(
        {
            "BTC-USD": Closes("1h", [(0.0, 10.0), (3_600.0, 30.0), (7_200.0, 20.0)]),
            "AAPL": Closes("1m", [(3_600.0, 5.0), (5_400.0, 5.0)]),
            "NEW": Closes("1m", [(7_260.0, 1.0)]),
        }
    )
    assert day.seconds == 7_200
    assert day.lines == {
        "BTC-USD": DayLine("M0 29L50 1L100 15", 10.0, 20.0, 10.0, 30.0),
        "AAPL": DayLine("M50 15L75 15", 5.0, 5.0, 5.0, 5.0),
    }


def test_day_lines_of_a_new_fleet_are_not_drawn() -> None:
    """One price is not a line."""
    assert not day_lines({"NEW": Closes("1m", [(60.0, 1.0)])}).lines
