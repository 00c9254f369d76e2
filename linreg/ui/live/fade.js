/**
 * The loss between the matched one and the one over all pairs, at any share alpha, batch size and
 * weights: what the figures of the cause page show of it.
 *
 * A rule is a function (fade, figure, options) => rows, one for each table that moves, and makes it
 * as `linreg/figures/{fade,matrix,cause}.py` does. Rows that do not change keep their identity.
 */

import { coordinate, point, quantity, r2Text } from "./numbers.js";
import { value } from "./surface.js";

const SIDES = ["Original", "Fixed"];
const BROADCAST = 0;
const MATCHED = 1;

/**
 * Both losses of a table by batch size, and what of them is looked at.
 *
 * `model` is what `linreg/ui/live/fade.py` sends. Both losses of a size have the same A, so
 * the loss between them has its minimum on the line between theirs, and any value is the mean of
 * theirs.
 */
export class Fade {
  constructor(model) {
    this.alpha = 1;
    this.kept = new WeakMap(); // figure -> what was made for it
    this.takeModel(model);
    this.weights = Array.from(model.best);
  }

  takeModel(model) {
    this.model = model;
    this.kept = new WeakMap();
    this.index ??= this.indexOf(model.own);
  }

  /** The index of a batch size, or of the largest one below it. */
  indexOf(size) {
    const { sizes } = this.model;
    let index = 0;
    while (index + 1 < sizes.length && sizes[index + 1] <= size) index++;
    return index;
  }

  /** The rows of a batch. */
  get size() {
    return this.model.sizes[this.index];
  }

  /** What is made once for a figure, and again where the key differs from the one before. */
  once(figure, name, key, make) {
    if (!this.kept.has(figure)) this.kept.set(figure, new Map());
    const kept = this.kept.get(figure);
    if (kept.get(name)?.key !== key) kept.set(name, { key, rows: make() });
    return kept.get(name).rows;
  }

  // ---- the losses ----

  /** The minimum (2,) of a side's loss, at the current batch size. */
  minimumOf(side) {
    const { minima } = this.model;
    const at = 4 * this.index + 2 * side;
    return [minima[at], minima[at + 1]];
  }

  minLossOf(side) {
    return this.model.min_losses[2 * this.index + side];
  }

  /** A side's loss at weights (2,), with the best bias where there is one. */
  lossOf(side, [w1, w2]) {
    const [m1, m2] = this.minimumOf(side);
    const [d1, d2] = [w1 - m1, w2 - m2];
    const { A } = this.model;
    const at = 3 * this.index;
    return this.minLossOf(side) + d1 * (A[at] * d1 + 2 * A[at + 1] * d2) + A[at + 2] * d2 * d2;
  }

  /** The loss between both at weights (2,). */
  loss(weights) {
    return mixed(this.alpha, this.lossOf(MATCHED, weights), this.lossOf(BROADCAST, weights));
  }

  /** The minimum (2,) of the loss between both. */
  get minimum() {
    const [matched, broadcast] = [this.minimumOf(MATCHED), this.minimumOf(BROADCAST)];
    return matched.map((weight, i) => mixed(this.alpha, weight, broadcast[i]));
  }

  get minLoss() {
    return this.loss(this.minimum);
  }

  /** The bias at that minimum, 0 without one. */
  get bias() {
    const { biases } = this.model;
    if (!biases) return 0;
    const at = 2 * this.index;
    return mixed(this.alpha, biases[at + MATCHED], biases[at + BROADCAST]);
  }

  /** R² of all rows at that minimum. */
  get rSquared() {
    const { baseline, variance, biases } = this.model;
    if (variance === 0) return NaN;
    const weights = biases ? [...this.minimum, this.bias] : this.minimum;
    return 1 - value(baseline, weights) / variance;
  }

  /** The distance between the minima of both. */
  get distance() {
    const [matched, broadcast] = [this.minimumOf(MATCHED), this.minimumOf(BROADCAST)];
    return Math.hypot(broadcast[0] - matched[0], broadcast[1] - matched[1]);
  }

  /** The points (n,) of the section and the weights at them. */
  line({ from, to, points }) {
    const { directions } = this.model;
    const [u1, u2] = [directions[2 * this.index], directions[2 * this.index + 1]];
    const [m1, m2] = this.minimumOf(MATCHED);
    return Array.from({ length: points }, (_, k) => {
      const along = from + ((to - from) * k) / (points - 1);
      return { along, weights: [m1 + along * u1, m2 + along * u2] };
    });
  }

  // ---- the weights that the visitor moves ----

  /** The bias that is best for these weights (2,) in both losses, 0 without one. */
  bestBias([w1, w2]) {
    const { biases, means } = this.model;
    if (!biases) return 0;
    const at = 3 * this.index;
    return means[at + 2] - (w1 * means[at] + w2 * means[at + 1]);
  }

  /** The four terms of both losses: Var(p), Var(y), −2 Cov(p, y), (mean p − mean y)². */
  terms() {
    const [w1, w2] = this.weights;
    const { covariance, products, means } = this.model;
    const [at, first] = [9 * this.index, 3 * this.index];
    const V = covariance.subarray(at, at + 9);
    const M = products.subarray(at, at + 9);
    const m = means.subarray(first, first + 3);
    const bias = this.bestBias(this.weights);
    const form = (S, a, b, c) =>
      a * (S[0] * a + S[1] * b + S[2] * c) +
      b * (S[3] * a + S[4] * b + S[5] * c) +
      c * (S[6] * a + S[7] * b + S[8] * c);
    const off = w1 * m[0] + w2 * m[1] - m[2];
    return [
      form(V, w1, w2, 0),
      V[8],
      -2 * (w1 * V[2] + w2 * V[5]),
      form(M, w1, w2, -1) + 2 * bias * off + bias * bias,
    ];
  }

  /** The predictions of the first rows. */
  predictions(count) {
    const { X } = this.model;
    const [w1, w2] = this.weights;
    const bias = this.bestBias(this.weights);
    return Array.from({ length: count }, (_, k) => X[2 * k] * w1 + X[2 * k + 1] * w2 + bias);
  }
}

/** (1 − alpha) matched + alpha broadcast. */
const mixed = (alpha, matched, broadcast) => (1 - alpha) * matched + alpha * broadcast;

/** The tables of a figure that move. */
export function rowsOfFade(fade, figure) {
  const rows = {};
  for (const [table, { rule, ...options }] of Object.entries(figure.moving)) {
    rows[table] = RULES[rule](fade, figure, options);
  }
  return rows;
}

const RULES = {
  frame,
  cells,
  heads,
  terms,
  rings,
  bowl,
  minima,
  minimum,
  section,
  curve,
  floors,
  floor,
  points,
  r2,
};

// ---- the matrix and the terms -------------------------------------------------------------------

function frame(fade, figure) {
  const { alpha } = fade;
  return fade.once(figure, "frame", alpha, () => [{ ...figure.rows("frame")[0], alpha }]);
}

/** The differences of all pairs. */
function cells(fade, figure) {
  return fade.once(figure, "cells", weightsKey(fade), () => {
    const sent = figure.rows("cells");
    const count = Math.round(Math.sqrt(sent.length));
    const predicted = fade.predictions(count);
    const differences = sent.map((row) => predicted[row.prediction] - fade.model.y[row.target]);
    const largest = differences.reduce((most, each) => Math.max(most, Math.abs(each)), 0) || 1;
    return sent.map((row, k) => {
      const difference = differences[k];
      const size = Math.abs(difference) / largest;
      return { ...row, size, text: cellText(difference), difference };
    });
  });
}

/** The predictions and targets beside the matrix. */
function heads(fade, figure) {
  return fade.once(figure, "heads", weightsKey(fade), () => {
    const sent = figure.rows("heads");
    const predicted = fade.predictions(sent.length / 2);
    return sent.map((row) =>
      row.prediction >= 0 ? { ...row, text: cellText(predicted[row.prediction]) } : row,
    );
  });
}

/** A number in at most four digits. */
export function cellText(number) {
  const size = Math.abs(number);
  if (size >= 9_999.5) return number.toExponential(0).replace("e+", "e").replace("-", "−");
  if (size >= 100) return coordinate(number, 0);
  return coordinate(number, size >= 1 ? 1 : 2);
}

function terms(fade, figure, { terms: names, sides }) {
  return fade.once(figure, "terms", weightsKey(fade, true), () => {
    const [varP, varY, covariance, means] = fade.terms();
    const allPairs = varP + varY + means;
    const values = [
      [varP, varY, 0, means, allPairs],
      [varP, varY, covariance, means, allPairs + covariance],
    ];
    const largest = Math.max(...values.flat().map(Math.abs)) || 1;
    return sides.flatMap((side, row) =>
      names.map((term, k) => {
        const number = values[row][k];
        const text = row === BROADCAST && k === 2 ? "erased" : quantity(number);
        return { term, side, value: number, text, share: number / largest };
      }),
    );
  });
}

/** What the predictions depend on: the best bias depends on the batches. */
function weightsKey(fade, always = false) {
  const size = always || fade.model.biases ? fade.index : "";
  return `${fade.weights} ${size}`;
}

// ---- over the weights ---------------------------------------------------------------------------

function ellipses(fade, center, sizes, more) {
  const { axes, contour_points: count } = fade.model;
  const [a, b, c, d] = axes.subarray(4 * fade.index, 4 * fade.index + 4);
  const rows = [];
  if (!Number.isFinite(a)) return rows; // the minimum is not unique
  for (let level = sizes.length; level > 0; level--) {
    for (let k = 0; k < count; k++) {
      const t = (2 * Math.PI * k) / (count - 1);
      const [x, y] = [sizes[level - 1] * Math.cos(t), sizes[level - 1] * Math.sin(t)];
      rows.push({ 0: center[0] + a * x + b * y, 1: center[1] + c * x + d * y, level, ...more });
    }
  }
  return rows;
}

/** The contours of both losses. */
function rings(fade, figure, { sizes }) {
  return fade.once(figure, "rings", fade.index, () =>
    SIDES.flatMap((side, k) => ellipses(fade, fade.minimumOf(k), sizes, { side })),
  );
}

/** The contours of the loss between them. */
function bowl(fade, figure, { sizes }) {
  const { alpha } = fade;
  return fade.once(figure, "bowl", alphaKey(fade), () =>
    ellipses(fade, fade.minimum, sizes, { alpha }),
  );
}

const alphaKey = ({ alpha, index }) => `${alpha} ${index}`;

function minima(fade, figure) {
  return fade.once(figure, "minima", fade.index, () => {
    const [broadcast, matched] = [fade.minimumOf(BROADCAST), fade.minimumOf(MATCHED)];
    const dy = broadcast[1] > matched[1] ? [-22, 24] : [24, -22];
    const labels = [`all pairs ${point(broadcast)}`, `matched ${point(matched)}`];
    return [broadcast, matched].map(([w1, w2], k) => ({
      side: SIDES[k],
      w1,
      w2,
      label: labels[k],
      dy: dy[k],
    }));
  });
}

function minimum(fade, figure) {
  const { alpha } = fade;
  return fade.once(figure, "minimum", alphaKey(fade), () => {
    const [w1, w2] = fade.minimum;
    return [{ w1, w2, alpha }];
  });
}

// ---- along a line -------------------------------------------------------------------------------

function section(fade, figure, range) {
  return fade.once(figure, "section", fade.index, () =>
    SIDES.flatMap((side, k) =>
      fade.line(range).map(({ along, weights }) => {
        return { along, loss: fade.lossOf(k, weights), side };
      }),
    ),
  );
}

function curve(fade, figure, range) {
  const { alpha } = fade;
  return fade.once(figure, "curve", alphaKey(fade), () =>
    fade.line(range).map(({ along, weights }) => ({ along, loss: fade.loss(weights), alpha })),
  );
}

function floors(fade, figure) {
  return fade.once(figure, "floors", fade.index, () =>
    figure.rows("minima").map((row, k) => {
      const loss = fade.minLossOf(k);
      return { ...row, along: k === BROADCAST ? fade.distance : 0, loss, label: quantity(loss) };
    }),
  );
}

function floor(fade, figure, { ends }) {
  const { alpha } = fade;
  return fade.once(figure, "floor", alphaKey(fade), () => {
    const loss = fade.minLoss;
    const label = alpha > ends && alpha < 1 - ends ? quantity(loss) : "";
    return [{ along: alpha * fade.distance, loss, label, alpha }];
  });
}

// ---- in the predictions -------------------------------------------------------------------------

function points(fade, figure) {
  const { alpha } = fade;
  return fade.once(figure, "points", alphaKey(fade), () => {
    const [w1, w2] = fade.minimum;
    const { bias } = fade;
    return figure.rows("points").map((row) => {
      return { ...row, predicted: row.feature1 * w1 + row.feature2 * w2 + bias, alpha };
    });
  });
}

function r2(fade, figure) {
  return fade.once(figure, "r2", alphaKey(fade), () => [{ text: `R² ${r2Text(fade.rSquared)}` }]);
}
