"""The citation agrees with CITATION.cff and the version of the package."""

import re

from project import ROOT

import linreg
from linreg.text import citation


def test_the_bibtex_entry_is_that_of_the_citation_file():
    cff = (ROOT / "CITATION.cff").read_text()
    said = dict(re.findall(r"^(?:  - )?([a-z-]+): \"?([^\">\n]+)\"?$", cff, re.MULTILINE))
    assert said["title"] == citation.TITLE
    assert f"  - name: {citation.AUTHOR}\n" in cff
    assert said["date-released"].startswith(f"{citation.YEAR}-")
    assert said["version"] == citation.VERSION == linreg.__version__


def test_an_entry_names_the_figure_and_its_address():
    entry = citation.bibtex("https://linreg.example/?v=1&lr=0.05", "Loss surfaces")
    assert entry.startswith("@software{linreg,\n  title = {{linreg: ")
    assert "  note = {Figure: Loss surfaces},\n" in entry
    assert "  url = {https://linreg.example/?v=1&lr=0.05},\n}" in entry
    assert entry.count("{") == entry.count("}")
    assert "note" not in citation.bibtex("https://linreg.example/")
