// The training: the steps of `train_ensemble` for one run, fast enough for every frame.

import { RULES } from "./rules.js";
import { valueAt } from "./surface.js";

/**
 * The record of a training, to be filled again and again by `train`.
 *
 * `steps` (S,) are 0, recordEvery, 2 recordEvery, ..., and the last; `weights` P arrays (S,). Of
 * the batch losses, `losses` (S - 1,) has those at these steps except the last, `lowest` and
 * `highest` the range from one of these steps to the next; with recordEvery 1 all three are the
 * same array.
 * @param {object} problem of `problemOf`
 * @param {number} recordEvery
 */
export function createPath(problem, recordEvery = 1) {
  const windows = Math.ceil(problem.steps / recordEvery);
  const steps = Uint32Array.from({ length: windows + 1 }, (_, k) => k * recordEvery);
  steps[windows] = problem.steps;
  const losses = new Float64Array(windows);
  const another = () => (recordEvery === 1 ? losses : new Float64Array(windows));
  return {
    steps,
    weights: Array.from(problem.origin, () => new Float64Array(windows + 1)),
    losses,
    lowest: another(),
    highest: another(),
    divergedAt: -1,
    constants: new Float64Array(problem.constants.length),
    last: new Float64Array(problem.origin.length),
  };
}

/**
 * Train from `start` and fill `path`.
 *
 * The batches are taken in turn. `path.divergedAt` is the first step at which the loss or a weight
 * is not finite, or -1; from that step on weights and losses are NaN. It may be one step before
 * that of the compiled kernel, whose fused operations overflow a little later.
 * @param {object} problem of `problemOf`
 * @param {object} path of `createPath`
 * @param {ArrayLike<number>} start (P,)
 * @param {number} lr
 * @param {number} momentum for an optimizer that takes one
 */
export function train(problem, path, start, lr, momentum = problem.momentum) {
  const { constants, weights } = path;
  for (let i = 0; i < constants.length; i++) {
    constants[i] = problem.constants[i] + momentum * problem.constants_per_momentum[i];
  }
  for (let i = 0; i < weights.length; i++) weights[i][0] = start[i];
  path.divergedAt = RULES[problem.rule](problem, path, lr, constants);
  if (path.divergedAt < 0 && !Number.isFinite(nextLoss(problem, path))) {
    path.divergedAt = problem.steps;
  }
  if (path.divergedAt >= 0) endAt(path, path.divergedAt);
  return path;
}

/** The loss of the next batch at the last weights. */
function nextLoss({ table, origin, steps }, path) {
  const { last, weights } = path;
  const width = origin.length === 3 ? 10 : 6;
  for (let i = 0; i < last.length; i++) last[i] = weights[i][weights[i].length - 1];
  return valueAt(table, (steps * width) % table.length, origin, last);
}

/** Fill the records from a step on with NaN. */
function endAt(path, step) {
  let k = 0;
  while (path.steps[k] < step) k++;
  for (const column of path.weights) column.fill(NaN, k);
  for (const column of [path.losses, path.lowest, path.highest]) column.fill(NaN, k);
}
