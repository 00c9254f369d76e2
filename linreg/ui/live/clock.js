/**
 * The time of a replay. Equal times are equal lengths of all paths on the screen together, so that
 * something always moves: an optimizer crosses most of the plot in few of its steps.
 */

import { upTo } from "./runs.js";

const SETTLED = 1e-3; // of the whole length, which goes evenly to all steps

export class Clock {
  /**
   * @param {Figure[]} figures - those with whole paths, in a table `trail`
   * @param {number} last - the last step
   * @param {boolean} plain - whether equal times are equal numbers of steps
   */
  constructor(figures, last, plain) {
    const segments = plain ? [] : figures.flatMap(segmentsOf);
    this.steps = [...new Set([0, last, ...segments.flatMap(({ from, to }) => [from, to])])];
    this.steps.sort((a, b) => a - b);
    this.times = shareOfLength(this.steps, segments, last);
  }

  /** The step, a whole one, at a time from 0 to 1. */
  stepAt(time) {
    return Math.round(interpolate(this.times, this.steps, time));
  }

  /** The time from 0 to 1 of a step. */
  timeOf(step) {
    return interpolate(this.steps, this.times, step);
  }
}

/** The lines between the points of a figure's paths, and their lengths in widths of the plot. */
function segmentsOf(figure) {
  const { trail } = figure.tables;
  if (!trail?.step) return [];
  const [left, right] = figure.domain;
  const segments = [];
  for (let k = 1; k < trail.step.length; k++) {
    const isConnected = trail.piece[k] === trail.piece[k - 1] && trail.step[k] > trail.step[k - 1];
    if (!isConnected) continue;
    const length = Math.hypot(trail[0][k] - trail[0][k - 1], trail[1][k] - trail[1][k - 1]);
    segments.push({
      from: trail.step[k - 1],
      to: trail.step[k],
      length: length / (right - left),
    });
  }
  return segments;
}

/** How much of the length of all segments lies before each step, from 0 to 1. */
function shareOfLength(steps, segments, last) {
  const total = segments.reduce((sum, { length }) => sum + length, 0);
  if (!(total > 0)) return steps.map((step) => (last ? step / last : 0));
  const place = new Map(steps.map((step, k) => [step, k]));
  const rateChanges = new Float64Array(steps.length); // of length per step
  for (const { from, to, length } of segments) {
    const rate = length / (to - from);
    rateChanges[place.get(from)] += rate;
    rateChanges[place.get(to)] -= rate;
  }
  let [rate, length] = [0, 0];
  return steps.map((step, k) => {
    if (k) length += Math.max(rate, 0) * (step - steps[k - 1]);
    rate += rateChanges[k];
    return (1 - SETTLED) * Math.min(length / total, 1) + (SETTLED * step) / last;
  });
}

/** The value at `x` between points whose abscissas ascend. */
function interpolate(xs, ys, x) {
  const k = Math.min(Math.max(upTo(xs, x), 1), xs.length - 1);
  if (xs.length < 2) return ys[0];
  const width = xs[k] - xs[k - 1];
  const share = width > 0 ? (x - xs[k - 1]) / width : 1;
  return ys[k - 1] + Math.min(Math.max(share, 0), 1) * (ys[k] - ys[k - 1]);
}
