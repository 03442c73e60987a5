"""Lines through measured points."""

import pytest

from benchmarks.fits import line


def test_a_line_is_found_and_told_from_what_is_none() -> None:
    straight = line([1, 2, 4], [5, 7, 11])
    assert (straight.at_zero, straight.each) == pytest.approx((3, 2))
    assert straight.explained == pytest.approx(1)
    assert line([1, 2, 3, 4], [1, 4, 9, 16]).explained == pytest.approx(0.969, abs=0.001)


def test_what_never_changes_is_a_line() -> None:
    flat = line([1, 10, 30], [0.1, 0.1, 0.1])
    assert flat.each == pytest.approx(0) and flat.explained == 1
