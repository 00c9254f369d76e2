"""The tables that the browser computes, and those of Python."""

import pytest

# the address of the live figures' main module, in a page
LIVE = """const address = performance.getEntriesByType('resource')
    .map(({name}) => name).find(name => name.endsWith('/live.js'));"""


def assert_same_tables(figure, moving):
    """The browser's tables have the rows and columns of Python's; lines are compared by line."""
    assert set(moving) == set(figure.moving)
    for name, rows in moving.items():
        expected = figure.data[name].to_dict("records")
        if name == "path":
            by = [column for column in ("piece", "optimizer") if column in figure.data[name]]
            rows = [
                {"w1": row["0"], "w2": row["1"], **{column: row[column] for column in by}}
                for row in rows
            ]
            expected = [{column: row[column] for column in ("w1", "w2", *by)} for row in expected]
            rows.sort(key=lambda row: [row[column] for column in by])
            expected.sort(key=lambda row: [row[column] for column in by])
        assert len(rows) == len(expected), name
        if name == "marks":  # those that stay come first
            rows.sort(key=lambda row: row["kind"])
            expected.sort(key=lambda row: row["kind"])
        for row, reference in zip(rows, expected, strict=True):
            assert set(row) == set(reference), name
            for column, value in reference.items():
                if isinstance(value, str):
                    assert row[column] == value
                else:
                    assert row[column] == pytest.approx(float(value), rel=1e-6, abs=1e-6), column
