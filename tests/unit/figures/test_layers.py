"""Lines are cut where they cross the edge of the picture."""

import numpy as np
import pytest

from linreg.figures.layers import clip_to_domain


def test_lines_are_cut_where_they_cross_the_edge():
    line = np.array([[-2.0, 0.0], [2.0, 0.0], [2.0, 3.0], [0.0, 0.5]])
    found = clip_to_domain([np.arange(4)], [line], (-1.0, 1.0, -1.0, 1.0))
    assert found.query("piece == 1")[["w1", "w2"]].to_numpy().tolist() == [[-1, 0], [1, 0]]
    back = found.query("piece == 2")[["w1", "w2"]].to_numpy()
    assert back[-1].tolist() == [0, 0.5]
    assert back[0][1] == pytest.approx(1.0)
    assert (
        len(clip_to_domain([np.array([0])], [np.array([[0.5, 0.5]])], (-1.0, 1.0, -1.0, 1.0))) == 2
    )
    assert clip_to_domain([np.array([0])], [np.array([[5.0, 0.5]])], (-1.0, 1.0, -1.0, 1.0)).empty
