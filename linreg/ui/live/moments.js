// The moments of batches: computed from rows, as `batch_moments` does, and mixed.
//
// A table (K * width) has a row for each batch, its loss as H = 2A and b = 2c of the quadratic
// L(w) = d'A d - 2 c'd + s, d = w - origin: H00 H01 H11 b0 b1 s, and with a bias also
// H02 H12 H22 b2. So the gradient is H d - b.

/** The numbers in a row of a table, for P weights. */
export const tableWidth = (parameters) => (parameters === 3 ? 10 : 6);

/** The batches of all epochs, or of one if the rows keep their order. */
export function batchCount(rows, batchSize) {
  const perEpoch = Math.ceil(rows.y.length / batchSize);
  return rows.order ? perEpoch * (rows.order.length / rows.y.length) : perEpoch;
}

/**
 * The moments of every batch, in the order of the run.
 * @param {{x1, x2, y, order}} rows columns (N,), and `order` (E * N,) or null
 * @param {number} batchSize the last batch of an epoch may be smaller
 * @param {boolean} pairs whether the loss compares all pairs of a batch
 * @param {Float64Array} origin (P,)
 * @param {Float64Array} table (K * width), which is filled
 */
export function batchMoments(rows, batchSize, pairs, origin, table) {
  const count = rows.y.length;
  const visited = rows.order ? rows.order.length : count;
  const width = tableWidth(origin.length);
  let at = 0;
  for (let epoch = 0; epoch < visited; epoch += count) {
    for (let first = 0; first < count; first += batchSize, at += width) {
      const last = Math.min(first + batchSize, count);
      momentsOf(rows, epoch + first, epoch + last, pairs, origin, table, at);
    }
  }
  return table;
}

/**
 * The moments of one batch, written into a table from index `at` on.
 *
 * With the residuals r = y - Xo:
 *   matched shapes   A = X'X/B, c = X'r/B, s = mean(r^2)
 *   all pairs        A = X'X/B, c = mean(x) mean(r) - V o, s = o'V o + Var(y) + mean(r)^2,
 * with V = Cov(X). `first` and `last` are places in the order of the run.
 */
export function momentsOf(rows, first, last, pairs, origin, table, at) {
  const { x1, x2, y, order } = rows;
  const [o1, o2] = origin;
  const bias = origin.length === 3;
  const o3 = bias ? origin[2] : 0;
  const size = last - first;
  let [s1, s2, sy, sr, s11, s12, s22, s1r, s2r, srr] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let place = first; place < last; place++) {
    const k = order ? order[place] : place;
    const r = y[k] - (x1[k] * o1 + x2[k] * o2 + o3);
    s1 += x1[k];
    s2 += x2[k];
    sy += y[k];
    sr += r;
    s11 += x1[k] * x1[k];
    s12 += x1[k] * x2[k];
    s22 += x2[k] * x2[k];
    s1r += x1[k] * r;
    s2r += x2[k] * r;
    srr += r * r;
  }
  let [c1, c2, s] = [s1r / size, s2r / size, srr / size];
  const [m1, m2, mean, residual] = [s1 / size, s2 / size, sy / size, sr / size];
  if (pairs) {
    let [v11, v12, v22, vyy] = [0, 0, 0, 0]; // deviations from the means, so that nothing cancels
    for (let place = first; place < last; place++) {
      const k = order ? order[place] : place;
      const [d1, d2, dy] = [x1[k] - m1, x2[k] - m2, y[k] - mean];
      v11 += d1 * d1;
      v12 += d1 * d2;
      v22 += d2 * d2;
      vyy += dy * dy;
    }
    const [vo1, vo2] = [(v11 * o1 + v12 * o2) / size, (v12 * o1 + v22 * o2) / size];
    c1 = m1 * residual - vo1;
    c2 = m2 * residual - vo2;
    s = vo1 * o1 + vo2 * o2 + vyy / size + residual * residual;
  }
  table[at] = (2 * s11) / size;
  table[at + 1] = (2 * s12) / size;
  table[at + 2] = (2 * s22) / size;
  table[at + 3] = 2 * c1;
  table[at + 4] = 2 * c2;
  table[at + 5] = s;
  if (bias) {
    table[at + 6] = 2 * m1;
    table[at + 7] = 2 * m2;
    table[at + 8] = 2;
    table[at + 9] = 2 * residual;
  }
}

/**
 * The moments of (1 - alpha) matched + alpha broadcast; exactly either of them at 0 and 1.
 *
 * Both tables have the same origin, and so has the result `out`.
 */
export function mix(matched, broadcast, alpha, out) {
  for (let i = 0; i < out.length; i++) out[i] = (1 - alpha) * matched[i] + alpha * broadcast[i];
  return out;
}

/** The mean of the batches (width,): the loss surface of a run. All batches have equal weight. */
export function meanOf(table, width, out = new Float64Array(width)) {
  out.fill(0);
  for (let at = 0; at < table.length; at += width) {
    for (let i = 0; i < width; i++) out[i] += table[at + i];
  }
  const count = table.length / width;
  for (let i = 0; i < width; i++) out[i] /= count;
  return out;
}
