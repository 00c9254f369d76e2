"""Tables such as people bring, as CSV text: each would not be trained at all in its own units, or
has rows in an order that hides the bug."""

import numpy as np


def _csv(header, *columns):
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return "\n".join([header, *(",".join(map(repr, row)) for row in rows)]) + "\n"


def _houses(rows=500, by_area=False):
    random = np.random.default_rng(0)
    area = random.normal(95, 30, rows).clip(25).round()
    rooms = (area / 28 + random.normal(0, 0.7, rows)).round().clip(1)
    price = 35_000 + 2_900 * area - 9_000 * rooms + random.normal(0, 35_000, rows)
    order = np.argsort(area) if by_area else np.arange(rows)
    return _csv("area,rooms,price", area[order], rooms[order], price.round(-3)[order])


def _temperatures():
    random = np.random.default_rng(1)
    year = np.arange(1850, 2021)
    co2 = 285 + 0.8 * np.exp((year - 1850) / 33) + random.normal(0, 1, len(year))
    temperature = 13.6 + 0.009 * (co2 - 285) + random.normal(0, 0.12, len(year))
    return _csv("year,co2,temperature", year, co2.round(1), temperature.round(2))


def _tiny_features():
    random = np.random.default_rng(2)
    first, second = random.normal(2e-3, 5e-4, (2, 300))
    target = 1e6 + 4e8 * first - 2e8 * second + random.normal(0, 1e5, 300)
    return _csv("thickness,width,strength", first, second, target.round())


def _one_constant():
    random = np.random.default_rng(3)
    dose = random.normal(10, 3, 120).round(2)
    response = (2 * dose + random.normal(0, 1, 120)).round(2)
    return _csv("dose,response,pressure", dose, response, np.full(120, 101.3))


def _used_cars():
    random = np.random.default_rng(4)
    year = random.integers(1990, 2021, 250)
    km = random.normal(90_000, 40_000, 250).clip(100).round()
    price = 800 * (year - 1985) - 0.05 * km + random.normal(0, 1_500, 250)
    return _csv("year,km,price", year, km, price.round())


def _percentages():
    random = np.random.default_rng(5)
    turnout, urban = random.uniform(0, 100, (2, 150)).round(1)
    share = 0.4 * turnout + 0.3 * urban + random.normal(0, 6, 150)
    return _csv("turnout,urban,share", turnout, urban, share.round(1))


TABLES = {
    "prices in euros": _houses(),
    "sorted by area": _houses(by_area=True),
    "one row in the last batch": _houses(101),
    "fewer rows than a batch": _houses(30),
    "years and temperatures": _temperatures(),
    "a target of 10^6, features of 10^-3": _tiny_features(),
    "one constant column": _one_constant(),
    "a year as a feature": _used_cars(),
    "percentages": _percentages(),
}
