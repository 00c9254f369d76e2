"""The modules of `linreg/ui/live` in an empty page, without the app."""

import base64

import numpy as np
from project import ROOT

MODULES = ROOT / "linreg" / "ui" / "live"
ADDRESS = "http://modules.test/"  # nobody is asked: the page is served from here

SERVED_BESIDE = {"vega.js": "globalThis.vegaEmbed = null;"}  # the app makes it

DECODED = """
  const decoded = ([type, text]) =>
    new globalThis[type](Uint8Array.from(atob(text), byte => byte.charCodeAt(0)).buffer);
"""
ENCODED = """
  const encoded = array => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    let text = "";
    for (let at = 0; at < bytes.length; at += 1 << 15)
      text += String.fromCharCode(...bytes.subarray(at, at + (1 << 15)));
    return btoa(text);
  };
"""
TYPES = {"f8": "Float64Array", "i4": "Int32Array", "i2": "Int16Array"}


def open_modules(page, **replaced):
    """Show an empty page that can import the modules; `replaced` are other texts for them."""

    def serve(route):
        name = route.request.url.removeprefix(ADDRESS)
        if not name:
            route.fulfill(content_type="text/html", body="<!doctype html><title>Modules</title>")
        else:
            text = replaced.get(name.removesuffix(".js")) or SERVED_BESIDE.get(name)
            text = text or (MODULES / name).read_text()
            route.fulfill(content_type="text/javascript", body=text)

    page.route(ADDRESS + "**", serve)
    page.goto(ADDRESS)


def encoded(array):
    """An array for `decoded` in the page."""
    return TYPES[array.dtype.str[1:]], base64.b64encode(array.tobytes()).decode()


def decoded(text, *shape):
    """An array of float64 from `encoded` in the page."""
    return np.frombuffer(base64.b64decode(text)).reshape(*shape)
