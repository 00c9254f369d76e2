"""Figures as files: what stands in them, how large they are, that nothing is missing, that many at
once are right, and what they look like in Chromium."""

import io
import json
import os
import re
import signal
import struct
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
import worker_functions as functions
from playwright.sync_api import expect
from settings_of import compared

from linreg.experiments.resources import local_resources
from linreg.figures import fonts
from linreg.figures.curves import loss_figure
from linreg.figures.export import FORMATS, SIZES, ExportError, exported, file_name, with_source
from linreg.figures.figure import single_figure
from linreg.figures.pages import FIGURES, page_figures
from linreg.figures.renderer import (
    ENGINE_BYTES,
    RENDERER,
    RenderError,
    javascript_bundle,
    render,
    spec_to_svg,
    svg_to_pdf,
    svg_to_png,
)
from linreg.figures.sheet import wrap
from linreg.figures.side_surfaces import Side
from linreg.figures.theme import DARK, LIGHT
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.pages import PAGES, ClaimsView, SurfaceView, SweepView
from linreg.settings.query import to_query
from linreg.text.file_names import state_words
from linreg.text.numbers import quantity
from linreg.training.worker import _used_bytes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_renderer")]

SVG = "{http://www.w3.org/2000/svg}"
SMALL = {
    ClaimsView: ClaimsView(seeds=10),
    SweepView: SweepView(columns=6, rows=4, inits=2, steps=200),
    SurfaceView: SurfaceView(optimizers=("RMSprop", "SGD", "Adam", "Adagrad"), arrows=True),
}
ADDRESS = "https://linreg.example/?" + urlencode(to_query(compared(), full=True), safe=",")
DOT = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
CUT = """() => [...document.querySelectorAll('text')].filter(t => {
    const svg = document.documentElement.getBoundingClientRect(), b = t.getBoundingClientRect();
    return t.textContent.trim() && (b.left < svg.left - 0.5 || b.right > svg.right + 0.5
      || b.top < svg.top - 0.5 || b.bottom > svg.bottom + 0.5);
  }).map(t => t.textContent)"""
WIDTHS = [*range(280, 660, 12), *range(670, 1400, 91)]
DRAWN = b'vegaEmbed("#panel" + k, spec, {renderer: "svg", actions: false})'
RESIZED = """async widths => {
    const place = document.querySelector('.panels > div'), changed = [], out = [];
    document.querySelectorAll('.panels > div').forEach(other => other.hidden = other != place);
    document.querySelector('.panels').style.display = 'block';
    for (const name of ['width', 'height'])
      view.addSignalListener(name, () => changed[changed.length - 1][1]++);
    for (const width of widths) {
      place.style.width = width + 'px';
      changed.push([width, 0]);
      window.dispatchEvent(new Event('resize'));
      await view.runAsync();
      await view.runAsync();
      const whole = place.querySelector('svg.marks').getBoundingClientRect();
      for (const text of place.querySelectorAll('svg.marks text')) {
        const box = text.getBoundingClientRect();
        const seen = text.textContent && text.getAttribute('opacity') != 0;
        if (seen && (box.left < whole.left - 0.5 || box.right > whole.right + 0.5))
          out.push([width, text.textContent]);
      }
    }
    return [changed, out];
  }"""


@pytest.fixture(scope="module")
def plates():
    """Every figure of every page, with the words of the settings in its file's name."""
    found, of = [], local_resources()
    for page in FIGURES:
        kind = PAGES.get(page)
        view = SMALL.get(kind) or (kind() if kind else None)
        words = state_words(compared(), view)
        found += [(words, plate) for plate in page_figures(page, compared(), view, of, LIGHT)]
    return found


@pytest.fixture(scope="module")
def every(plates):
    return [plate for _, plate in plates]


@pytest.fixture(scope="module")
def surfaces(every):
    return every[0]


@pytest.fixture(scope="module")
def unlike(every):
    """Every figure, of those of the claims, which are alike, the first two."""
    of_claims = [plate for plate in every if plate.heading][2:]
    return [plate for plate in every if plate not in of_claims]


@pytest.fixture(scope="module")
def drawn(unlike):
    """Every figure as SVG, by its size: in one column all of them, in the others those with several
    panels."""
    return {
        size: [
            (plate, exported(with_source(plate, ADDRESS), "svg", size).decode())
            for plate in unlike
            if size == "column" or len(plate.panels) > 1
        ]
        for size in SIZES
    }


def texts(svg):
    return [
        (float(re.match(r"[\d.]+", text.get("font-size", "11"))[0]), "".join(text.itertext()))
        for text in ElementTree.fromstring(svg).iter(f"{SVG}text")
        if "".join(text.itertext()).strip()
    ]


def test_every_figure_of_the_app_is_there_under_a_name_of_its_own(plates):
    names = [file_name(plate, "svg", "column", of) for of, plate in plates]
    assert len(names) == len(set(names)) == 31
    assert names[0] == "loss-surfaces_rmsprop-lr-0.01-batch-100-samples-1000_column.svg"
    assert "claim-line_seeds-10_column.svg" in names
    assert all(re.fullmatch(r"[a-z0-9._-]+_column\.svg", name) for name in names)


def test_a_name_tells_the_moment_and_the_colours():
    of = state_words(compared(), step=7)
    plate = next(page_figures("comparison", compared(), None, local_resources(), DARK, 7))
    assert (
        file_name(plate, "png", "slide", of)
        == "loss-surfaces_rmsprop-lr-0.01-batch-100-samples-1000-step-7_slide_dark.png"
    )
    assert (
        file_name(plate, "csv", of=of)
        == "loss-surfaces_rmsprop-lr-0.01-batch-100-samples-1000-step-7_dark.csv"
    )
    assert b"after 7 steps" in exported(plate, "svg")


@pytest.mark.parametrize("size", SIZES)
def test_text_is_at_least_seven_points_and_has_every_glyph(drawn, size):
    for plate, svg in drawn[size]:
        root = ElementTree.fromstring(svg)
        assert root.get("width") == f"{SIZES[size].width:.3f}mm"
        points = SIZES[size].width * 72 / 25.4 / float(root.get("viewBox").split()[2])
        inside = (
            float(re.search(r"scale\(([\d.]+)\)", svg)[1])
            if SIZES[size].height and "scale(" in svg[:20_000]
            else 1.0
        )
        said = texts(svg)
        assert said
        small = [text for font, text in said if font * points * inside < 6.99]
        assert small == [], (plate.name, small)
        assert not fonts.missing("".join(text for _, text in said)), plate.name


def test_a_figure_says_its_finding_and_nothing_mark_by_mark(drawn):
    """Vega would say names of columns, thousands of them, and of each contour `geometry: [object
    Object]`."""
    for plate, svg in drawn["column"]:
        root = ElementTree.fromstring(svg)
        assert root.find(f"{SVG}desc").text == plate.alt
        said = {
            text: part.get("aria-roledescription")
            for part in root.iter()
            if (text := part.get("aria-label"))
        }
        marks = [
            text
            for text, role in said.items()
            if role not in ("axis", "legend", "title", "subtitle")
        ]
        assert marks == [panel.alt for panel in plate.panels if panel.name], plate.name


@pytest.mark.parametrize(
    ("losses", "labels"),
    [
        ([900, 9], ["10", "20", "50", "100", "200", "500", "1,000"]),
        ([1e6, 1], ["1", "10", "100", "1,000", "10,000", "100,000", "1,000,000"]),
        ([3e8, 0.5], ["1", "100", "10,000", "1,000,000", "1e+8"]),
    ],
)
def test_a_log_axis_is_labelled_where_a_reader_looks(losses, labels):
    bowl = Quadratic(np.eye(2), np.zeros(2), losses[1])
    side = Side("Original", "shapes", bowl, np.zeros((3, 2)), np.array([*losses, 30.0]))
    root = ElementTree.fromstring(
        exported(single_figure("loss", loss_figure([side], 2, LIGHT), LIGHT), "svg")
    )
    axis = next(part for part in root.iter() if part.get("aria-label", "").startswith("Y-axis"))
    said = [
        text.text
        for part in axis.iter()
        if "role-axis-label" in part.get("class", "")
        for text in part
        if text.text
    ]
    assert said == labels


def test_the_comparison_is_one_figure_with_one_vertical_axis_and_one_key(surfaces):
    svg = exported(surfaces, "svg").decode()
    drawn = [text for _, text in texts(svg)]
    assert "Original: (100, 1) against (100,)" in drawn
    assert "Fixed: (100,) against (100,)" in drawn
    assert drawn.count("weight 1") == 2
    assert drawn.count("weight 2") == 1, "one vertical axis for both"
    for entry in (
        "path of the original",
        "of the fixed side",
        "start",
        "correct solution",
        "minimum of the loss",
        "RMSE, one scale for both",
    ):
        assert drawn.count(entry) == 1
    stacked = [text for _, text in texts(exported(surfaces, "svg", "column"))]
    assert stacked.count("weight 2") == 2, "below each other each has its own"


def test_both_plots_have_the_same_size_and_stand_level(surfaces):
    """The star of each panel lies where its minimum is: the same scale on both sides, told from the
    picture alone."""
    svg = ElementTree.fromstring(exported(surfaces, "svg"))
    panels = [
        group
        for group in svg.findall(f"{SVG}g")
        if group.find(f".//{SVG}g[@class='mark-group role-frame root']") is not None
    ]
    assert len(panels) == 2
    place = [tuple(map(float, re.findall(r"[\d.-]+", panel.get("transform")))) for panel in panels]
    plot = [panel.find(f"{SVG}g").get("transform") for panel in panels]
    origin = [
        np.add(at, tuple(map(float, re.findall(r"[\d.-]+", inner))))
        for at, inner in zip(place, plot, strict=True)
    ]
    assert origin[0][1] == pytest.approx(origin[1][1]), "the plots begin at one height"
    assert origin[1][0] > origin[0][0] + 250


def test_a_png_has_its_size_and_its_dots_per_inch(surfaces):
    for size in SIZES.values():
        png = exported(surfaces, "png", size.key)
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", png[16:24])
        assert width == pytest.approx(size.width / 25.4 * 300, abs=1)
        if size.height:
            assert height == pytest.approx(size.height / 25.4 * 300, abs=1)
        dots = struct.unpack(">IIB", png[png.index(b"pHYs") + 4 :][:9])
        assert dots == (11811, 11811, 1), "a metre, 300 an inch"


def test_a_pdf_has_its_size_and_its_fonts(surfaces):
    pdf = exported(surfaces, "pdf", "column")
    streams = b"".join(
        inflated(part) for part in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    )
    assert pdf[:5] == b"%PDF-"
    box = re.search(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)", pdf + streams)
    assert float(box[1]) == pytest.approx(85 * 72 / 25.4, abs=0.01)
    assert b"SourceSansPro" in pdf + streams


def inflated(part):
    try:
        return zlib.decompress(part)
    except zlib.error:
        return part


def test_the_table_is_that_of_the_figure(surfaces, every):
    table = pd.read_csv(io.BytesIO(exported(surfaces, "csv")))
    for label, panel in zip(("Original", "Fixed"), surfaces.panels, strict=True):
        rows = table[table["panel"] == label]
        assert rows["w1"].to_numpy("float32") == pytest.approx(panel.data["trail"]["w1"].to_numpy())
        assert rows["step"].tolist() == panel.data["trail"]["step"].tolist()
    loss = pd.read_csv(io.BytesIO(exported(every[1], "csv")))
    assert loss["loss"].to_numpy() == pytest.approx(
        every[1].panels[0].data["loss"]["loss"].to_numpy()
    )
    assert not {"piece", "panel", "x2"} & set(loss.columns), (
        "what only says how lines are drawn is left out"
    )
    bowl = next(plate for plate in every if plate.name == "curvature")
    curvatures = pd.read_csv(io.BytesIO(exported(bowl, "csv")))
    assert curvatures[["panel", "w1"]].notna().all(axis=None)
    assert curvatures["curvature"].min() > 0
    assert [f"λ = {quantity(value)} along" in bowl.alt for value in curvatures["curvature"]] == [
        True
    ] * 4
    assert exported(surfaces, "txt").decode().strip() == surfaces.caption


def test_every_file_for_readers_says_where_it_is_from(surfaces, drawn):
    for size, sheets in drawn.items():
        for plate, svg in sheets:
            lines = [text for _, text in texts(svg)]
            first = next(k for k, line in enumerate(lines) if line.startswith("Source: "))
            assert "".join(lines[first:]) == f"Source: {ADDRESS}", (plate.name, size)
    credited = with_source(surfaces, "https://linreg.example/?v=1&target=<b>")
    assert (
        exported(credited, "txt")
        .decode()
        .endswith("Source: https://linreg.example/?v=1&target=<b>\n")
    )
    assert b"<p>Source: https://linreg.example/?v=1&amp;target=&lt;b&gt;</p>" in exported(
        credited, "html"
    )
    assert exported(credited, "csv") == exported(surfaces, "csv"), "data alone"


def test_a_name_without_an_end_stays_on_the_sheet(surfaces):
    svg = exported(
        with_source(surfaces, "https://linreg.example/?target=" + "W" * 400), "svg", "column"
    )
    lines = [text for _, text in texts(svg.decode()) if set(text) == {"W"}]
    assert sum(map(len, lines)) > 300
    size = 7 / SIZES["column"].scale
    assert all(fonts.width(line, size) <= SIZES["column"].inner for line in lines)


def test_a_figure_is_titled_once(drawn):
    for plate, svg in drawn["column"]:
        lines = [text for _, text in texts(svg)]
        titles = [panel.spec.get("title", {}).get("text") for panel in plate.panels]
        if plate.heading or not any(titles):
            assert lines[0] in (plate.heading or plate.name.capitalize()), plate.name


def test_a_page_needs_no_network_and_holds_the_same_layers(surfaces):
    html = exported(surfaces, "html").decode()
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", html)
    assert "@import" not in html
    specs = json.loads(re.search(r"^const specs = (.*);$", html, re.MULTILINE)[1])
    assert [spec["layer"] for spec in specs] == [panel.spec["layer"] for panel in surfaces.panels]
    assert specs[0]["datasets"]["marks"][-1]["kind"] == "minimum"


def test_what_a_visitor_wrote_cannot_leave_its_place(surfaces):
    from dataclasses import replace

    hostile = '<!--</script><script>alert(1)</script>"&<svg onload=alert(1)>'
    panel = replace(surfaces.panels[0], alt=hostile, data=dict(surfaces.panels[0].data))
    panel.data["marks"] = panel.data["marks"].assign(label=hostile)
    plate = replace(
        surfaces, name=hostile, caption=hostile, heading=hostile, panels=(panel,), labels=()
    )
    html = exported(plate, "html").decode()
    assert html.count("</script>") == 1
    assert "<script>alert" not in html
    assert "<!--" not in html
    root = ElementTree.fromstring(exported(plate, "svg"))
    assert not list(root.iter(f"{SVG}script"))
    assert root.find(f"{SVG}title").text == hostile
    assert re.fullmatch(r"[a-z0-9.-]+_page\.svg", file_name(plate, "svg"))


def test_numbers_that_are_not_finite_are_left_out(surfaces):
    from dataclasses import replace

    panel = surfaces.panels[0]
    marks = pd.concat(
        [
            panel.data["marks"],
            pd.DataFrame([{"kind": "here", "w1": np.inf, "w2": np.nan, "label": ""}]),
        ]
    )
    broken_one = replace(panel, data={**panel.data, "marks": marks})
    assert exported(replace(surfaces, panels=(broken_one,), labels=()), "svg").startswith(b"<svg")


def test_eight_at_once_are_the_eight_one_by_one(every):
    jobs = [
        (plate, kind, "column") for plate in every[-15:-13] + every[1:3] for kind in ("svg", "png")
    ]
    alone = [exported(*job) for job in jobs]
    with ThreadPoolExecutor(8) as together:
        assert list(together.map(lambda job: exported(*job), jobs)) == alone
    assert len(set(alone)) == 8


def test_titles_are_broken_where_they_would_not_fit():
    lines = wrap("Original, batch 12: (100, 1) against (100,)", 150, 16, fonts.SEMIBOLD)
    assert len(lines) > 1
    assert " ".join(lines) == "Original, batch 12: (100, 1) against (100,)"
    assert all(fonts.width(line, 16, fonts.SEMIBOLD) <= 150 for line in lines)
    assert wrap("unbreakable", 10, 16, fonts.SEMIBOLD) == ["unbreakable"]


def test_widths_are_those_of_the_renderer():
    """The typeface's own numbers, beside the box that the renderer gives to a text."""
    text = "mean loss never below 333,052"
    spec = {
        "data": {"values": [{}]},
        "mark": {"type": "text", "text": text, "fontSize": 100, "align": "left", "baseline": "top"},
        "width": 1, "height": 1, "autosize": {"type": "pad"}, "padding": 0,
        "view": {"stroke": None},
        "config": {"font": f"'{fonts.FAMILY}'"},
    }  # fmt: skip
    svg = render(spec_to_svg, spec)
    width = float(re.search(r'width="([\d.]+)"', svg)[1])
    assert fonts.width(text, 100) == pytest.approx(width, rel=0.02)


@pytest.mark.parametrize(("kind", "size"), [("jpeg", "page"), ("svg", "poster")])
def test_an_unknown_kind_or_size_is_said(surfaces, kind, size):
    with pytest.raises(ExportError, match="is not known; use one of"):
        exported(surfaces, kind, size)
    assert set(FORMATS) == {"svg", "pdf", "png", "html", "csv", "txt"}


def test_the_renderer_comes_back_and_says_what_is_wrong():
    assert render(svg_to_pdf, DOT)[:4] == b"%PDF"
    os.kill(RENDERER.call(functions.process), signal.SIGKILL)  # it may seem to be there still
    assert render(svg_to_pdf, DOT)[:4] == b"%PDF"
    with pytest.raises(RenderError, match="unknown token"):
        render(svg_to_pdf, "this is no picture")
    with pytest.raises(
        RenderError,
        match="the renderer's process ends before it answers; try again, or another format",
    ):
        render(functions.crash_always)


def test_a_picture_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(RENDERER, "timeout", 5)
    with pytest.raises(RenderError, match="the picture took more than 60 s; try a smaller size"):
        render(functions.sleep, 60)
    assert render(svg_to_pdf, DOT)[:4] == b"%PDF"


@pytest.mark.skipif(sys.platform != "linux", reason="its memory is read as Linux tells it")
@pytest.mark.parametrize(("most", "processes"), [(1_000_000_000, 1), (1, 3)])
def test_a_renderer_that_holds_too_much_is_followed_by_another(monkeypatch, most, processes):
    monkeypatch.setattr(RENDERER, "max_bytes", most)
    seen, made = set(), set()
    for _ in range(3):
        seen.add(render(functions.process))
        made.add(render(svg_to_png, DOT, 300))
    assert len(seen) == processes
    assert len(made) == 1


def test_the_script_of_an_exported_page_leaves_no_large_process(monkeypatch):
    """To bundle it takes some 80 MB for a moment; they are not held beside the engine."""
    monkeypatch.setattr(RENDERER, "max_bytes", ENGINE_BYTES)
    RENDERER.close()
    render(spec_to_svg, {"data": {"values": [{}]}, "mark": "bar"})
    before = render(_used_bytes)
    assert "vegaEmbed" in render(javascript_bundle)
    assert render(_used_bytes) < min(before + 30e6, ENGINE_BYTES)


@pytest.mark.browser
def test_an_exported_figure_opened_on_its_own_is_whole(browser, drawn, tmp_path):
    """Every figure at its print size: no text reaches over the edge, and all of it is in the
    typeface that comes along."""
    page = browser.new_page()
    page.set_viewport_size({"width": 1_100, "height": 1_400})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for size, figures_of_it in drawn.items():
        for plate, svg in figures_of_it:
            path = tmp_path / "figure.svg"
            path.write_bytes(svg.encode())
            page.goto(path.as_uri())
            page.evaluate("document.fonts.ready")
            assert page.evaluate(CUT) == [], (plate.name, size)
            assert page.evaluate("[...document.fonts].map(face => face.status)").count("error") == 0
            assert page.evaluate("document.fonts.check(\"12px 'Source Sans Pro'\", 'weight 1')")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.close()


@pytest.mark.browser
def test_an_exported_page_draws_without_a_network(browser, surfaces, tmp_path):
    (tmp_path / "figure.html").write_bytes(exported(surfaces, "html"))
    page = browser.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_function("document.querySelectorAll('svg.marks').length == 2")
    texts = page.evaluate(
        "[...document.querySelectorAll('svg.marks text')].map(text => text.textContent)"
    )
    assert "Fixed: (100,) against (100,)" in texts
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_text("Star: the correct solution")).to_be_visible()
    assert said == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.close()


@pytest.mark.browser
def test_figures_come_to_rest_at_every_width(browser, unlike, tmp_path):
    """A height that follows the width, and labels that follow both and stand out, can go round in a
    circle for a minute."""
    page = browser.new_page(viewport={"width": 1450, "height": 900})
    resized = [plate for plate in unlike if "params" in plate.panels[0].spec]
    for number, plate in enumerate(resized):
        html = exported(plate, "html")
        assert DRAWN in html
        watched = DRAWN + b".then(found => { if (!k) window.view = found.view; })"
        (tmp_path / "figure.html").write_bytes(html.replace(DRAWN, watched))
        page.goto((tmp_path / "figure.html").as_uri())
        page.wait_for_function("() => window.view")
        # a third of the widths each: figures that follow each other are alike
        changed, out = page.evaluate(RESIZED, WIDTHS[number % 3 :: 3])
        assert max(count for _, count in changed) <= 8, (
            plate.name,
            sorted(changed, key=lambda one: -one[1])[:5],
        )
        assert not out, plate.name
    page.close()
