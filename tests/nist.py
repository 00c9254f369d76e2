"""Linear regressions with certified values: NIST's Statistical Reference Datasets
(https://www.itl.nist.gov/div898/strd/).

Those with one or two predictors. NIST's own data are in the public domain.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Certified:
    """Columns (N, P), the target, and the certified coefficients, in the columns' order; a last
    column of ones has the intercept. `residual` is the certified residual standard deviation."""

    columns: np.ndarray
    y: np.ndarray
    coefficients: tuple[float, ...]
    residual: float


def _pairs(text):
    return np.array([row.split() for row in text.split(";")], dtype=float).T  # y, x


_NORRIS = _pairs(
    "0.1 0.2; 338.8 337.4; 118.1 118.2; 888.0 884.6; 9.2 10.1; 228.1 226.5; 668.5 666.3; 998.5"
    " 996.3; 449.1 448.6;"
    "778.9 777.0; 559.2 558.2; 0.3 0.4; 0.1 0.6; 778.1 775.5; 668.8 666.9; 339.3 338.0; 448.9"
    " 447.5; 10.8 11.6;"
    "557.7 556.0; 228.3 228.1; 998.0 995.8; 888.8 887.6; 119.6 120.2; 0.3 0.3; 0.6 0.3; 557.6"
    " 556.8; 339.3 339.1;"
    "888.0 887.2; 998.5 999.0; 778.9 779.0; 10.2 11.1; 117.6 118.3; 228.9 229.2; 668.4 669.1; 449.2"
    " 448.9; 0.2 0.5"
)
_PONTIUS_Y = np.array(
    [
        *(0.11019, 0.21956, 0.32949, 0.43899, 0.54803, 0.65694, 0.76562, 0.87487, 0.98292, 1.09146),
        *(1.20001, 1.30822, 1.41599, 1.52399, 1.63194, 1.73947, 1.84646, 1.95392, 2.06128, 2.16844),
        *(0.11052, 0.22018, 0.32939, 0.43886, 0.54798, 0.65739, 0.76596, 0.87474, 0.98300, 1.09150),
        *(1.20004, 1.30818, 1.41613, 1.52408, 1.63159, 1.73965, 1.84696, 1.95445, 2.06177, 2.16829),
    ]
)
_PONTIUS_X = np.tile(150_000.0 * np.arange(1, 21), 2)

STRD = {
    "Norris": Certified(
        np.column_stack([_NORRIS[1], np.ones(36)]),
        _NORRIS[0],
        (1.00211681802045, -0.262323073774029),
        0.884796396144373,
    ),
    "Pontius": Certified(
        np.column_stack([_PONTIUS_X, _PONTIUS_X**2, np.ones(40)]),
        _PONTIUS_Y,
        (0.732059160401003e-06, -0.316081871345029e-14, 0.673565789473684e-03),
        0.205177424076185e-03,
    ),
    "NoInt1": Certified(
        np.arange(60.0, 71.0)[:, None],
        np.arange(130.0, 141.0),
        (2.07438016528926,),
        3.56753034006338,
    ),
    "NoInt2": Certified(
        np.array([[4.0], [5.0], [6.0]]),
        np.array([3.0, 4.0, 4.0]),
        (0.727272727272727,),
        0.369274472937998,
    ),
}
