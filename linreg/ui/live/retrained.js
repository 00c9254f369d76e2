/**
 * The tables of a figure that depend on its runs alone, for runs that the browser has trained: as
 * the functions of `linreg/figures/` make them, in less time.
 *
 * A rule is a function (figure, runs, options) => rows. `figure.retrained` names one for each
 * table.
 */

import { quantity } from "./numbers.js";
import { keptPoints } from "./simplify.js";
import { valuesOf } from "./surface.js";

const PATH_RESOLUTION = 700; // a path is exact to the width of the plot divided by this
const MAX_POINTS = 700; // of a path
const BINS = 300; // of a curve
const LABEL_HEIGHT = 0.075; // of the y axis
const MERGE_DISTANCE = 0.06;

const CURVE_ROWS = 140; // of a median, denser at the start
const PANEL_RESOLUTION = 1500; // paths of many runs are exact to this fraction of the plot
const MAX_PANEL_POINTS = 1400; // of all paths of a panel

export const RETRAINED = { trail, trails, starts, curves, correct, weights, ends, medians };

// ---- surfaces -----------------------------------------------------------------------------------

/** The whole path of a run, in pieces inside the plot. */
function trail(figure, runs, { run }) {
  const { steps, columns } = runs[run];
  const [w1, w2] = columns;
  const [left, right] = figure.domain;
  const gap = (right - left) / PATH_RESOLUTION;
  const apart = [0];
  const last = runs[run].rowAt(runs[run].last);
  for (let row = 1, before = 0; row <= last; row++) {
    const isFar = Math.hypot(w1[row] - w1[before], w2[row] - w2[before]) >= gap;
    if (isFar || row === last) apart.push((before = row));
  }
  const every = Math.ceil(apart.length / MAX_POINTS);
  const some = apart.filter((_, k) => k % every === 0 || k === apart.length - 1);
  const [x, y] = [w1, w2].map((column) => Float64Array.from(some, (row) => column[row] / gap));
  const shown = keptPoints(x, y).map((k) => some[k]);
  return clipped(
    shown.map((row) => [w1[row], w2[row]]),
    shown.map((row) => steps[row]),
    figure.domain,
  );
}

/** The whole paths of all runs of a side, as `_full_paths` in `optimizer_paths.py` makes them. */
function trails(figure, runs, { label }) {
  const own = runs.filter((run) => run.label === label);
  const [left, right, bottom, top] = figure.domain;
  const [width, height] = [right - left, top - bottom].map((size) => size / PANEL_RESOLUTION);
  const most = Math.max(Math.floor(MAX_PANEL_POINTS / Math.max(own.length, 1)), 20);
  const rows = [];
  for (const { optimizer, steps, columns } of own) {
    const [w1, w2] = columns;
    const finite = earlyRows(steps.length).filter((row) => {
      return Number.isFinite(w1[row]) && Number.isFinite(w2[row]);
    });
    const x = Float64Array.from(finite, (row) => w1[row] / width);
    const y = Float64Array.from(finite, (row) => w2[row] / height);
    const kept = evenlySpaced(keptPoints(x, y), most).map((k) => finite[k]);
    if (kept.length === 1) kept.push(kept[0]); // a line of one point is drawn
    const points = kept.map((row) => [w1[row], w2[row]]);
    const stepsOfPoints = kept.map((row) => steps[row]);
    for (const row of clipped(points, stepsOfPoints, figure.domain, rows.at(-1)?.piece)) {
      row.optimizer = optimizer;
      rows.push(row);
    }
  }
  return rows;
}

/** At most so many of the values, evenly spaced, with the first and the last. */
function evenlySpaced(values, most) {
  if (values.length <= most) return values;
  const distance = (values.length - 1) / (most - 1);
  const shown = Array.from({ length: most - 1 }, (_, k) => values[Math.floor(k * distance)]);
  return [...shown, values.at(-1)];
}

/** Where the runs of a side start, each place once. */
function starts(figure, runs, { label }) {
  const places = new Map();
  for (const run of runs.filter((candidate) => candidate.label === label)) {
    const [w1, w2] = run.weightsOf(0);
    if (figure.contains(w1, w2)) places.set(`${w1},${w2}`, { w1, w2 });
  }
  return [...places.values()].sort((a, b) => a.w1 - b.w1 || a.w2 - b.w2);
}

/** The connected pieces of a line inside the domain, which are counted on from `piece`. */
function clipped(points, steps, domain, piece = 0) {
  const rows = [];
  let end; // where the last piece ends
  for (let k = 1; k < points.length; k++) {
    const segment = clipSegment(points[k - 1], points[k], domain);
    if (!segment) continue;
    const [from, to] = segment;
    if (!end || end[0] !== from[0] || end[1] !== from[1]) {
      piece += 1;
      rows.push({ 0: from[0], 1: from[1], piece, step: steps[k - 1] });
    }
    rows.push({ 0: to[0], 1: to[1], piece, step: steps[k] });
    end = to;
  }
  return rows;
}

/** The part of a segment inside the domain, after Liang and Barsky (1984); undefined outside. */
function clipSegment(a, b, [left, right, bottom, top]) {
  const isInside = ([w1, w2]) => w1 >= left && w1 <= right && w2 >= bottom && w2 <= top;
  if (isInside(a) && isInside(b)) return [a, b];
  let [enter, leave] = [0, 1];
  for (const [i, low, high] of [[0, left, right], [1, bottom, top]]) {
    const direction = b[i] - a[i];
    if (!Number.isFinite(direction)) return undefined;
    if (direction === 0) {
      if (a[i] < low || a[i] > high) return undefined;
      continue;
    }
    const [t0, t1] = [(low - a[i]) / direction, (high - a[i]) / direction];
    enter = Math.max(enter, Math.min(t0, t1));
    leave = Math.min(leave, Math.max(t0, t1));
  }
  if (enter > leave) return undefined;
  const at = (t) => [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
  return [enter === 0 ? a : at(enter), leave === 1 ? b : at(leave)];
}

// ---- curves against step ------------------------------------------------------------------------

/** The loss of each batch, of every side. */
function curves(_figure, runs) {
  return runs.flatMap((run) =>
    envelope(run.losses, run.lossCount)
      .map((row) => ({ step: run.steps[row], loss: run.losses[row], side: run.label }))
      .filter(({ loss }) => loss > 0),
  );
}

/** The correct loss of one run's weights, or the label at its end. */
function correct(figure, runs, { run: index, surface, words }) {
  const run = runs[index];
  const values = valuesOf(surface, run.columns, run.rowAt(run.last) + 1);
  const count = values.findIndex((loss) => !Number.isFinite(loss));
  const rows = envelope(values, count < 0 ? values.length : count)
    .map((row) => ({ step: run.steps[row], loss: values[row] }))
    .filter(({ loss }) => loss > 0);
  if (!words) return rows;
  return rows.slice(-1).map((row) => ({ ...row, label: `${words}: ${quantity(row.loss)}` }));
}

/** Every weight of every side. */
function weights(_figure, runs, { names }) {
  return runs.flatMap((run) =>
    run.columns.flatMap((column, k) =>
      envelope(column, run.rowAt(run.last) + 1).map((row) => ({
        step: run.steps[row],
        value: column[row],
        side: run.label,
        weight: names[k],
      })),
    ),
  );
}

/** The labels at the ends of the weights' curves. */
function ends(figure, runs, { names, correct: aims }) {
  const values = [...aims, ...weights(figure, runs, { names }).map(({ value }) => value)];
  const span = values.reduce((most, v) => Math.max(most, v), -Infinity) -
    values.reduce((least, v) => Math.min(least, v), Infinity);
  const merged = [];
  for (const run of runs) {
    const row = run.rowAt(run.last);
    run.columns.forEach((column, k) => {
      const label = { step: run.steps[row], value: column[row], side: run.label, weight: names[k] };
      const other = merged.find(
        ({ side, value }) =>
          side === label.side && Math.abs(label.value - value) <= MERGE_DISTANCE * span,
      );
      if (!other) merged.push(label);
      else {
        other.value = Math.max(label.value, other.value);
        other.weight += `, ${label.weight}`;
      }
    });
  }
  const ascending = merged.slice().sort((a, b) => a.value - b.value);
  ascending.forEach((label, k) => {
    const below = k ? ascending[k - 1].at + LABEL_HEIGHT * span : -Infinity;
    label.at = Math.max(label.value, below);
    label.weight = `${label.side.toLowerCase()} ${label.weight}`;
  });
  return merged;
}

/**
 * The median over the starts of each optimizer's loss above the minimum or distance to it, as
 * `descent_figure` in `descent.py` makes it.
 */
function medians(_figure, runs, { what, sides }) {
  const rows = [];
  for (const side of sides) {
    const own = runs.filter((run) => run.label === side.label);
    for (const optimizer of new Set(own.map((run) => run.optimizer))) {
      const group = own.filter((run) => run.optimizer === optimizer);
      const { steps } = group[0];
      const kept = earlyRows(steps.length);
      const values = group.map((run) => valuesAt(run, kept, what, side)); // (R, n)
      kept.forEach((row, k) => {
        const value = median(values.map((ofRun) => ofRun[k]));
        if (!Number.isFinite(value) || value <= 0) return;
        rows.push({ step: steps[row], value, optimizer, side: side.label });
      });
    }
  }
  return rows;
}

/** The loss above the minimum of a side (`loss`), or the distance to it, at rows of a run. */
function valuesAt(run, rows, what, { surface, minimum, min_loss: least }) {
  const columns = run.columns.map((column) => rows.map((row) => column[row]));
  if (what === "loss") return valuesOf(surface, columns, rows.length).map((loss) => loss - least);
  return rows.map((_, k) => Math.hypot(...columns.map((column, i) => column[k] - minimum[i])));
}

/** The median, where what is not finite is larger than anything else. */
function median(values) {
  const sorted = Float64Array.from(values, (v) => (Number.isFinite(v) ? v : Infinity)).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const earlyRowsOf = new Map(); // by the length of the record

/** Rows of a record of this length at geometrically growing distances, all of a short one. */
function earlyRows(length) {
  if (!earlyRowsOf.has(length)) earlyRowsOf.set(length, makeEarlyRows(length));
  return earlyRowsOf.get(length);
}

function makeEarlyRows(length) {
  if (length - 1 <= CURVE_ROWS) return Array.from({ length }, (_, row) => row);
  const growth = length ** (1 / (CURVE_ROWS - 1));
  const rows = Array.from({ length: CURVE_ROWS }, (_, k) => Math.round(growth ** k) - 1);
  return [...new Set(rows)];
}

/** The rows of the lowest and the highest value of each of BINS bins, and of both ends. */
function envelope(values, count) {
  if (count <= 2 * BINS) return Array.from({ length: count }, (_, row) => row);
  const rows = [0];
  for (let bin = 0; bin < BINS; bin++) {
    const [from, to] = [Math.floor((bin * count) / BINS), Math.floor(((bin + 1) * count) / BINS)];
    let [low, high] = [from, from];
    for (let row = from + 1; row < to; row++) {
      if (values[row] < values[low]) low = row;
      if (values[row] > values[high]) high = row;
    }
    for (const row of low < high ? [low, high] : [high, low]) {
      if (row !== rows.at(-1)) rows.push(row);
    }
  }
  if (rows.at(-1) !== count - 1) rows.push(count - 1);
  return rows;
}
