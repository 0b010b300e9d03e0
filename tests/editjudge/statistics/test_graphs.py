from __future__ import annotations

import pytest

from editjudge.statistics.graphs import circles


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ("", []),
        ("ab bc ac", []),
        ("ab ba", ["ab"]),
        ("ab bc ca", ["abc"]),
        ("ab bc ca cd", ["abc"]),
        ("xy yx ab bc ca cx", ["abc", "xy"]),
        ("ab bc ca cd de ec", ["abcde"]),  # two circles that share c
        ("ab ab ba ba", ["ab"]),
        ("aa ab", []),
    ],
)
def test_circles(edges, found):
    assert ["".join(members) for members in circles((one, other) for one, other in edges.split())] == found
