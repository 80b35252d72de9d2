"""Numbers as the report writes them."""

import math

import pytest
from sagemaker_rl.report.formatting import format_count, format_number, format_percent


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (-5.256, ".2f", "-5.26"),
        (-0.004, ".2f", "0.00"),
        (-0.006, ".2f", "-0.01"),
        (0.004, ".2f", "0.00"),
        (-0.0, ".4g", "0"),
        (-1e-5, ".3g", "-1e-05"),
        (math.nan, ".2f", "no number"),
        (-math.inf, ".2f", "no number"),
    ],
)
def test_a_zero_has_no_minus_and_what_is_not_finite_is_no_number(value, spec, text):
    assert format_number(value, spec) == text
    if spec == ".2f":
        assert format_number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.129, "12%"), (0.29, "29%"), (0.9999, "99%"), (1.0, "100%"), (1.3, "100%")]
)
def test_percents_are_rounded_down(share, text):
    """0.29 times 100 is a little less than 29 in floating point."""
    assert format_percent(share) == text


def test_one_is_no_plural():
    assert [format_count(number, "row") for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
