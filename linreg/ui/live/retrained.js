/**
 * The tables of a figure that depend on its runs alone, for runs that the browser has trained: as
 * the functions of `linreg/figures/` make them, in less time.
 *
 * A rule is a function (figure, runs, options) => rows. `figure.retrained` names one for each table.
 */

import { coordinate, quantity } from "./numbers.js";
import { valuesOf } from "./surface.js";

const PATH_RESOLUTION = 700; // points of a path are at least the width divided by this apart
const MAX_POINTS = 700; // of a path
const BINS = 300; // of a curve
const LABEL_HEIGHT = 0.075; // of the y axis
const MERGE_DISTANCE = 0.06;

export const RETRAINED = { trail, curves, correct, weights, ends };

// ---- surfaces ------------------------------------------------------------------------------------

/** The whole path of a run, in pieces inside the plot. */
function trail(figure, runs, { run }) {
  const { steps, columns } = runs[run];
  const [w1, w2] = columns;
  const [left, right] = figure.domain;
  const gap = (right - left) / PATH_RESOLUTION;
  const kept = [0];
  const last = runs[run].rowAt(runs[run].last);
  for (let row = 1, before = 0; row <= last; row++) {
    const isFar = Math.hypot(w1[row] - w1[before], w2[row] - w2[before]) >= gap;
    if (isFar || row === last) kept.push((before = row));
  }
  const every = Math.ceil(kept.length / MAX_POINTS);
  const shown = kept.filter((_, k) => k % every === 0 || k === kept.length - 1);
  return clipped(
    shown.map((row) => [w1[row], w2[row]]),
    shown.map((row) => steps[row]),
    figure.domain,
  );
}

/** The connected pieces of a line inside the domain. */
function clipped(points, steps, domain) {
  const rows = [];
  let [piece, end] = [0, undefined]; // where the last piece ends
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

// ---- curves against step -------------------------------------------------------------------------

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
