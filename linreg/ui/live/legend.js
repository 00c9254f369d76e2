/** The legend below a set of figures: its symbols, and the bands of colour of its surfaces. */

const SYMBOL = 16; // pixels

/**
 * @param {{legend: object[], color_bar: ?object}} sent - `LegendEntry` and `ColorBar` of
 *   `linreg/figures/figure.py`
 */
export function legendOf({ legend, color_bar: bar }) {
  const element = document.createElement("div");
  element.className = "live-legend";
  if (bar?.colors.length) element.append(colorBar(bar));
  for (const entry of legend) {
    const item = document.createElement("span");
    item.append(symbol(entry), entry.text);
    element.append(item);
  }
  return element;
}

function symbol({ symbol: shape, fill, stroke }) {
  const line = shape === "line";
  const svg = svgElement("svg", { viewBox: "-1 -1 2 2", width: SYMBOL, height: SYMBOL });
  svg.setAttribute("aria-hidden", "true");
  svg.append(
    svgElement("path", {
      d: line ? "M-1,0h2" : shape,
      fill: line ? "none" : fill,
      stroke: stroke || "none",
      "stroke-width": line ? 0.45 : 0.22,
    }),
  );
  return svg;
}

function colorBar({ title, colors, labels }) {
  const element = document.createElement("span");
  element.className = "live-colors";
  const bands = document.createElement("span");
  bands.className = "live-bands";
  bands.append(
    ...colors.map((color) => {
      const band = document.createElement("span");
      band.style.background = color;
      return band;
    }),
  );
  element.append(`${title} ${labels[0]} `, bands, ` ${labels.at(-1)}`);
  return element;
}

function svgElement(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) {
    element.setAttribute(attribute, value);
  }
  return element;
}
