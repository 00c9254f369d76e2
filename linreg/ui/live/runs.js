/** The runs that the figures of a page replay. */

export class Run {
  /**
   * @param {object} record
   * @param {string} record.label - the side
   * @param {string} record.optimizer
   * @param {ArrayLike<number>} record.steps - the S recorded steps, ascending from 0
   * @param {ArrayLike<number>} record.weights - P numbers for each recorded step
   * @param {?ArrayLike<number>} record.losses - of the recorded steps but the last
   * @param {?number} record.diverged_at - the step at which it diverges
   */
  constructor({ label, optimizer, steps, weights, losses, diverged_at }) {
    Object.assign(this, { label, optimizer, steps, weights, losses });
    this.divergedAt = diverged_at;
    this.parameters = weights.length / steps.length;
  }

  /** The last recorded step. */
  get last() {
    return this.steps[this.steps.length - 1];
  }

  /** The index of the last record up to a step. */
  rowAt(step) {
    return upTo(this.steps, step) - 1;
  }

  /** The weights of a record. */
  weightsOf(row) {
    return this.weights.subarray(row * this.parameters, (row + 1) * this.parameters);
  }
}

/** A run that the browser has trained: one of `createPath` in `trainer.js`, which it refills. */
export class TrainedRun {
  isTrainedHere = true;

  constructor(label, optimizer, path) {
    Object.assign(this, { label, optimizer, path });
    this.steps = path.steps;
    this.columns = path.weights; // one for each weight, not one after the other
    this.losses = path.losses;
  }

  get divergedAt() {
    return this.path.divergedAt < 0 ? null : this.path.divergedAt;
  }

  /** The last step; where it diverges, the step before. */
  get last() {
    return this.steps[this.lastRow];
  }

  get lastRow() {
    if (this.divergedAt === null) return this.steps.length - 1;
    return Math.max(upTo(this.steps, this.divergedAt - 1) - 1, 0);
  }

  /** How many losses it has. */
  get lossCount() {
    return Math.min(this.lastRow + 1, this.losses.length);
  }

  rowAt(step) {
    return Math.min(upTo(this.steps, step) - 1, this.lastRow);
  }

  weightsOf(row) {
    return this.columns.map((column) => column[row]);
  }
}

/** How many of the ascending values are at most `limit`. */
export function upTo(values, limit) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
