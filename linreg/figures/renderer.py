"""vl-convert in a process of its own: it holds the interpreter's lock while it works, and its
engine takes 100 MB and more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from importlib.resources import as_file, files
from types import ModuleType
from typing import Any, TypeVar

from linreg.training.worker import Worker, WorkerCrashed, WorkerTimeout

T = TypeVar("T")
VEGA_LITE = "6.4"  # of its versions, the one that Streamlit draws with
SNIPPET = "globalThis.vegaEmbed = vegaEmbed;"  # of vl-convert's own, `vega` would be null
TIMEOUT = 60  # seconds for one picture
ENGINE_BYTES = 90_000_000  # that the process may keep between two pictures

RENDERER = Worker("vl-convert", idle_seconds=15, max_bytes=ENGINE_BYTES, timeout=TIMEOUT)


class RenderError(OSError):
    """vl-convert could not make a picture, and why."""


def render(function: Callable[..., T], *args: Any) -> T:
    """Call a function of this module in the renderer's process. Raises `RenderError`."""
    try:
        return RENDERER.call(function, *args)
    except WorkerTimeout:
        raise RenderError(f"the picture took more than {TIMEOUT} s; try a smaller size") from None
    except WorkerCrashed:
        raise RenderError(
            "the renderer's process ends before it answers; try again, or another format"
        ) from None
    except Exception as error:  # vl-convert raises several kinds
        raise RenderError(str(error)) from None


def prestart() -> None:
    """Start the process and its engine, which takes a second, without waiting for them."""
    RENDERER.prestart(spec_to_svg, {"data": {"values": [{}]}, "mark": "bar"})


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which makes `vegaEmbed` global.

    Raises `RenderError`. It is made once: it takes a second, and 75 MB for that time."""
    return render(javascript_bundle)


def spec_to_svg(spec: dict[str, Any]) -> str:
    """A Vega-Lite spec, its data inside, as SVG."""
    return str(_vl_convert().vegalite_to_svg(vl_spec=spec, vl_version=VEGA_LITE))


def svg_to_pdf(svg: str) -> bytes:
    """An SVG as PDF."""
    return bytes(_vl_convert().svg_to_pdf(svg=svg))


def svg_to_png(svg: str, ppi: int) -> bytes:
    """An SVG as PNG of so many pixels per inch."""
    return bytes(_vl_convert().svg_to_png(svg=svg, scale=1, ppi=ppi))


def javascript_bundle() -> str:
    """The script of `vega_bundle`."""
    import vl_convert  # without fonts, which the browser has

    return str(vl_convert.javascript_bundle(SNIPPET, vl_version=VEGA_LITE))


@cache
def _vl_convert() -> ModuleType:
    import vl_convert

    fonts = ExitStack().enter_context(as_file(files("font_source_sans_pro") / "files"))
    vl_convert.register_font_directory(str(fonts))
    return vl_convert
