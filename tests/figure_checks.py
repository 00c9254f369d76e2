"""What holds for every figure: it is filled in, it says what it shows, and Vega compiles it."""

import json
import re

import vl_convert

from linreg.figures.templates import PLACEHOLDER

STREAMLITS = {"tooltip": {"content": "encoding"}}


def value_of(read, figure):
    """What a figure's expression for a value of its frame comes to."""
    name = re.fullmatch(r"data\('frame'\)\[0\]\['(.+)'\]", read["expr"])[1]
    return figure.data["frame"][name].item()


def is_filled_and_compiles(figure, theme):
    """Returns the figure as SVG, 400 pixels wide."""
    text = json.dumps(figure.spec)
    assert PLACEHOLDER not in text, "a slot was left open"
    for name in re.findall(r"data\('frame'\)\[0\]\['([^']+)'\]", text):
        assert name in figure.data["frame"], "what is read when it is drawn is there"
    if figure.name:
        assert figure.data["frame"]["alt"].item() == figure.alt
    assert figure.alt.endswith(".")
    assert figure.caption.endswith(".")
    assert figure.table in figure.data
    vega = vl_convert.vegalite_to_vega(figure.standalone(), vl_version="6.4")
    assert (
        vega["config"]["background"] == theme.background if "background" in vega["config"] else True
    )
    svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
    assert svg.startswith("<svg")
    return svg


def no_mark_shows_its_columns(figure):
    """No mark has the tooltip that Streamlit gives to every mark which does not say its own."""
    assert tooltips(figure.spec, STREAMLITS) == tooltips(figure.spec, {})


def tooltips(spec, defaults):
    """The tooltips of the marks in Vega, with `defaults` for what the config leaves open."""
    config = dict(spec["config"])
    config["mark"] = {**defaults, **config.get("mark", {})}
    vega = vl_convert.vegalite_to_vega({**spec, "config": config}, vl_version="6.4")
    return [said for mark in vega["marks"] for said in tooltips_in(mark)]


def tooltips_in(mark):
    """The tooltips of a mark and of those inside it; lines of several series are a group."""
    own = mark.get("encode", {}).get("update", {}).get("tooltip")
    return [own, *(said for inner in mark.get("marks", []) for said in tooltips_in(inner))]
