"""An upload in any encoding, through Streamlit's own test runner."""

import gzip

import numpy as np
import pytest
from apprunner import opened, ran, words

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TEXT = "\n".join(
    [
        "Größe,b,°C,c",
        *(
            f"{a:.3f},{b:.3f},é,{c:.3f}"
            for a, b, c in np.random.default_rng(0).normal(size=(60, 3))
        ),
        "?,1,é,2",
    ]
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("windows.csv", TEXT.encode("cp1252")),
        ("wide.csv", TEXT.encode("utf-16")),
        ("packed.csv.gz", gzip.compress(TEXT.encode())),
        ("bars.csv", TEXT.replace(",", "|").encode()),
    ],
)
def test_an_upload_in_any_encoding_is_taken(name, content):
    app = opened("your_data", epochs="2")
    app.file_uploader[0].upload(name, content)
    app = ran(app)
    assert "60 of 61 rows are used." in words(app)
    assert "is not a number, first in row 62 of the file" in words(app)
    assert app.selectbox(key="control.Target").options == ["Größe", "b", "c"]
    table = app.selectbox(key="control.table")
    assert table.format_func(table.value) == name


def test_a_damaged_archive_is_refused_and_all_stays():
    app = opened("your_data", epochs="2")
    app.file_uploader[0].upload("cut.csv.gz", gzip.compress(TEXT.encode())[:-20])
    app = ran(app)
    assert "damaged or cut off" in app.error[0].value
    assert "392 of 398 rows are used" in words(app)
