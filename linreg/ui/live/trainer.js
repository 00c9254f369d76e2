// The training: the steps of `train_ensemble`, for one run, fast enough for every frame.

import { tableWidth } from "./moments.js";
import { RULES } from "./rules.js";

/**
 * The record of a training, to be filled again and again by `train`.
 *
 * `steps` (S,) are 0, recordEvery, 2 recordEvery, ..., and the last. Of the batch losses, `losses`
 * (S - 1,) has those at these steps except the last, `lowest` and `highest` the range from one of
 * these steps to the next; with recordEvery 1 all three are the same array.
 * @param {object} problem of `unpack`
 * @param {number} recordEvery
 */
export function createPath(problem, recordEvery = 1) {
  const windows = Math.ceil(problem.steps / recordEvery);
  const steps = new Uint32Array(windows + 1);
  for (let k = 0; k < windows; k++) steps[k] = k * recordEvery;
  steps[windows] = problem.steps;
  const losses = new Float64Array(windows);
  const another = () => (recordEvery === 1 ? losses : new Float64Array(windows));
  return {
    steps,
    weights: Array.from(problem.origin, () => new Float64Array(windows + 1)), // P of (S,)
    losses,
    lowest: another(),
    highest: another(),
    divergedAt: -1,
    scratch: createScratch(problem.origin.length),
  };
}

function createScratch(parameters) {
  const names = ["weights", "gradient", "first", "second"];
  const arrays = names.map((name) => [name, new Float64Array(parameters)]);
  return { ...Object.fromEntries(arrays), c: new Float64Array(5), step: new Float64Array(4) };
}

/**
 * Train from `start` and fill `path`.
 *
 * From the first step on at which a loss or a weight is not finite, `path.divergedAt`, weights and
 * losses are NaN. The batches are taken in turn.
 * @param {object} problem of `unpack`
 * @param {object} path of `createPath`
 * @param {ArrayLike<number>} start (P,)
 */
export function train(problem, path, start, lr, momentum = problem.momentum) {
  const { steps, losses, lowest, highest } = path;
  const { weights, first, second, c, step } = path.scratch;
  const windows = losses.length;
  const width = tableWidth(weights.length);
  weights.set(start);
  first.fill(0);
  second.fill(0);
  step[0] = lr;
  for (let i = 0; i < c.length; i++) {
    c[i] = problem.constants[i] + momentum * problem.constants_per_momentum[i];
  }
  path.divergedAt = -1;
  record(path, 0);
  for (let k = 0; k < windows; k++) {
    if (!trainWindow(problem, path, k, width)) return endAt(path, k);
    record(path, k + 1);
  }
  const next = (steps[windows] * width) % problem.table.length;
  if (!Number.isFinite(lossAt(problem.table, next, weights, problem.origin))) {
    path.divergedAt = steps[windows];
    for (const column of path.weights) column[windows] = NaN;
  }
  return path;
}

/** The steps from one record to the next. Whether all their losses are finite. */
function trainWindow(problem, path, k, width) {
  const { table, origin } = problem;
  const { weights, gradient, first, second, c, step } = path.scratch;
  const [scheduleA, scheduleB, scheduleD] = problem.schedule;
  const [lastA, lastB, lastD] = [scheduleA.length - 1, scheduleB.length - 1, scheduleD.length - 1];
  const update = RULES[problem.rule];
  const bias = weights.length === 3;
  const end = path.steps[k + 1];
  let row = (path.steps[k] * width) % table.length;
  let lowest = Infinity;
  let highest = -Infinity;
  for (let t = path.steps[k]; t < end; t++) {
    const d0 = weights[0] - origin[0];
    const d1 = weights[1] - origin[1];
    // the operations of the compiled kernel, in its order
    let g0 = table[row] * d0 + (table[row + 1] * d1 - table[row + 3]);
    let g1 = table[row + 1] * d0 + (table[row + 2] * d1 - table[row + 4]);
    let loss =
      table[row + 5] +
      d0 * ((table[row] / 2) * d0 + table[row + 1] * d1 - table[row + 3]) +
      d1 * ((table[row + 2] / 2) * d1 - table[row + 4]);
    if (bias) {
      const d2 = weights[2] - origin[2];
      g0 += table[row + 6] * d2;
      g1 += table[row + 7] * d2;
      const g2 = table[row + 6] * d0 + table[row + 7] * d1;
      gradient[2] = g2 + (table[row + 8] * d2 - table[row + 9]);
      loss += d2 * (g2 + (table[row + 8] / 2) * d2 - table[row + 9]);
    }
    if (!(Math.abs(loss) < Infinity)) {
      path.divergedAt = t;
      return false;
    }
    if (loss < lowest) lowest = loss;
    if (loss > highest) highest = loss;
    if (t === path.steps[k]) path.losses[k] = loss;
    gradient[0] = g0;
    gradient[1] = g1;
    step[1] = scheduleA[t < lastA ? t : lastA];
    step[2] = scheduleB[t < lastB ? t : lastB];
    step[3] = scheduleD[t < lastD ? t : lastD];
    update(weights, gradient, first, second, c, step);
    row = row + width < table.length ? row + width : 0;
  }
  path.lowest[k] = lowest;
  path.highest[k] = highest;
  return true;
}

function record(path, k) {
  for (let i = 0; i < path.weights.length; i++) path.weights[i][k] = path.scratch.weights[i];
}

/** Fill what follows a divergence in window k with NaN. */
function endAt(path, k) {
  const same = path.divergedAt === path.steps[k]; // before the first step of the window
  for (const column of path.weights) column.fill(NaN, same ? k : k + 1);
  path.losses.fill(NaN, same ? k : k + 1);
  path.lowest.fill(NaN, same ? k : k + 1);
  path.highest.fill(NaN, same ? k : k + 1);
  return path;
}

/** The loss of the batch whose row of the table starts at `row`. */
export function lossAt(table, row, weights, origin) {
  const d0 = weights[0] - origin[0];
  const d1 = weights[1] - origin[1];
  let loss =
    table[row + 5] +
    d0 * ((table[row] / 2) * d0 + table[row + 1] * d1 - table[row + 3]) +
    d1 * ((table[row + 2] / 2) * d1 - table[row + 4]);
  if (weights.length === 3) {
    const d2 = weights[2] - origin[2];
    const slope = table[row + 6] * d0 + table[row + 7] * d1;
    loss += d2 * (slope + (table[row + 8] / 2) * d2 - table[row + 9]);
  }
  return loss;
}
