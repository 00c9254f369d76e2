/**
 * The tooltip of a live figure: what a mark says by its spec, or what the place under the pointer
 * says by the rule that `figure.hover` names. Not while a button is down or the replay plays, and
 * not on touch.
 */

import { count, decimal, point, quantity } from "./numbers.js";
import { value } from "./surface.js";
import { RULES } from "./tables.js";

const BESIDE = 14; // pixels between the pointer and the tooltip
const NEAR = 8; // pixels from the pointer to a point of which it speaks

export class Hover {
  /**
   * @param {FigureView} view
   * @param {Stage} stage
   */
  constructor(view, stage) {
    Object.assign(this, { view, stage });
    this.box = document.createElement("div");
    this.box.className = "live-tooltip";
    this.box.setAttribute("aria-hidden", "true"); // the figure's description and data say it
    this.box.hidden = true;
    view.element.append(this.box);
    view.onTooltip = (said) => (this.ofMark = said);
    this.listening = new AbortController();
    const { signal } = this.listening;
    view.plot.addEventListener("pointermove", (event) => this.moved(event), { signal });
    for (const name of ["pointerleave", "pointerdown", "pointercancel"]) {
      view.plot.addEventListener(name, () => this.hide(), { signal });
    }
    stage.addEventListener("play", () => this.hide(), { signal });
  }

  moved(event) {
    const isQuiet = event.pointerType === "touch" || event.buttons !== 0 || this.stage.isPlaying;
    const lines = isQuiet || !this.view.view ? [] : this.linesAt(event);
    if (lines.length) this.show(lines, event);
    else this.hide();
  }

  /** The lines of the tooltip: texts, or names with their values. */
  linesAt(event) {
    if (this.ofMark !== undefined && this.ofMark !== null && this.ofMark !== "") {
      return linesOf(this.ofMark);
    }
    const { figure } = this.view;
    const say = HOVERS[figure.hover.rule];
    return say && this.isOnPlot(event) ? say(this.view, this.stage, event, figure.hover) : [];
  }

  /** Whether the pointer is inside of the axes. */
  isOnPlot(event) {
    const { view } = this.view;
    const box = this.view.pictureBox();
    const [left, top] = this.view.plotOrigin();
    const [x, y] = [event.clientX - box.left - left, event.clientY - box.top - top];
    return x >= 0 && x <= view.signal("width") && y >= 0 && y <= view.signal("height");
  }

  show(lines, event) {
    this.box.replaceChildren(...lines.map(elementOf));
    this.box.hidden = false;
    const around = this.view.element.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const [x, y] = [event.clientX - around.left, event.clientY - around.top];
    const right = x + BESIDE + width <= around.width ? x + BESIDE : x - BESIDE - width;
    const below = event.clientY + BESIDE + height > innerHeight;
    this.box.style.left = `${Math.max(right, 0)}px`;
    this.box.style.top = `${below ? y - BESIDE - height : y + BESIDE}px`;
  }

  hide() {
    this.box.hidden = true;
  }

  remove() {
    this.listening.abort();
    this.box.remove();
  }
}

/** What a spec says as a tooltip: a text, or an object of values by their names. */
function linesOf(said) {
  return typeof said === "object" ? Object.entries(said) : [String(said)];
}

function elementOf(line) {
  const element = document.createElement("div");
  if (typeof line === "string") element.textContent = line;
  else element.append(...line.map((text) => spanOf(String(text))));
  return element;
}

function spanOf(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

// ---- the place under the pointer ----------------------------------------------------------------

/** A function (view, stage, event, options) => lines for each rule. */
const HOVERS = { surface, step, curves, predictions };

/** The losses at the weights under the pointer. */
function surface(view, _stage, event, { loss, correct, has_bias: hasBias }) {
  const weights = view.weightsAt(event);
  const [left, right] = view.figure.domain;
  const decimals = Math.min(Math.max(-Math.floor(Math.log10((right - left) / 100)), 0), 100);
  const written = quantity(Math.max(value(loss, weights), 0));
  const lines = [["w", point(weights, decimals)]];
  if (hasBias) lines.push(["bias", "at its best"]);
  lines.push([correct ? "loss as written" : "loss", written]);
  if (correct) lines.push(["correct loss", quantity(Math.max(value(correct, weights), 0))]);
  return lines;
}

/** The recorded values of all runs at the step under the pointer. */
function step(view, stage, event, { value: column }) {
  const { figure } = view;
  const runs = runsOf(figure, stage);
  if (!runs.length) return [];
  const at = clamped(Math.round(view.stepAt(event)), stage.last);
  const { rule, ...options } = figure.moving.here;
  const rows = RULES[rule](figure, runs, at, options);
  if (!rows.length) return [];
  const lines = [["step", count(Math.max(...rows.map((row) => row.step)))]];
  for (const row of rows) {
    const name = [row.side.toLowerCase(), row.weight].filter(Boolean).join(" ");
    lines.push([name, quantity(row[column])]);
  }
  if (figure.retrained.correct) {
    const { run, surface: correct } = figure.retrained.correct;
    const loss = value(correct, runs[run].weightsOf(runs[run].rowAt(at)));
    lines.push([`correct loss of the ${runs[run].label.toLowerCase()}'s weights`, quantity(loss)]);
  }
  return lines;
}

/** The value of each curve of a table at its last point up to the step under the pointer. */
function curves(view, stage, event, { table }) {
  const at = clamped(Math.round(view.stepAt(event)), stage.last);
  const found = new Map();
  for (const row of view.figure.rows(table)) {
    if (row.step <= at) found.set(`${row.optimizer}, ${row.side.toLowerCase()}`, row);
  }
  const lines = Array.from(found, ([name, row]) => [name, quantity(row.value)]);
  return lines.length ? [["step", count(at)], ...lines] : [];
}

/** True and predicted value of the point that is the nearest to the pointer. */
function predictions(view, stage, event, { decimals }) {
  const [x, y] = ["x", "y"].map((name) => view.view.scale(name));
  const [right, up] = view.weightsAt(event);
  let [nearest, distance] = [null, NEAR];
  for (const row of stage.rowsOf(view.figure).points) {
    const away = Math.hypot(x(row.true) - x(right), y(row.predicted) - y(up));
    if (away <= distance) [nearest, distance] = [row, away];
  }
  if (!nearest) return [];
  return [
    ["true value", decimal(nearest.true, decimals)],
    [`predicted by ${nearest.side.toLowerCase()}`, decimal(nearest.predicted, decimals)],
  ];
}

/** The runs that a figure shows; none while its own are on their way. */
function runsOf(figure, stage) {
  if (stage.trained) return stage.trained;
  return figure.runsDigest === stage.runsDigest ? stage.runs : [];
}

function clamped(at, last) {
  return Math.min(Math.max(at, 0), last);
}
