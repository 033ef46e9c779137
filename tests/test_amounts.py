import pytest

from yoin.amounts import dollars


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.00"),
        (0.00000013, "$0.00000013"),
        (0.0042, "$0.0042"),
        (0.0099, "$0.0099"),
        (0.01, "$0.01"),
        (0.999, "$1.00"),
        (1234.5, "$1,234.50"),
        (1e-300, "$0.000000000000"),
    ],
)
def test_what_is_less_than_a_cent_is_not_nothing(amount, shown):
    assert dollars(amount) == shown
