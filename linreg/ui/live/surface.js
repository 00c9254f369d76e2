// A loss as a quadratic of the weights: value, minimum, section along a line.
//
// A surface is {row, origin}: a row of a table (see moments.js) and the weights (P,) at which it is
// expanded. L(w) = d'A d - 2 c'd + s, with d = w - origin, H = 2A and b = 2c.

const RANK_TOLERANCE = 1e-14; // eigenvalues below this times the largest count as zero

/** The loss at `weights` (P,) of the quadratic whose row of the table starts at `row`. */
export function valueAt(table, row, origin, weights) {
  const d0 = weights[0] - origin[0];
  const d1 = weights[1] - origin[1];
  const slope0 = table[row] / 2 * d0 + table[row + 1] * d1 - table[row + 3];
  const slope1 = table[row + 2] / 2 * d1 - table[row + 4];
  let loss = table[row + 5] + d0 * slope0 + d1 * slope1;
  if (origin.length === 3) {
    const d2 = weights[2] - origin[2];
    const slope2 = table[row + 6] * d0 + table[row + 7] * d1 + table[row + 8] / 2 * d2;
    loss += d2 * (slope2 - table[row + 9]);
  }
  return loss;
}

/** The loss of a surface at `weights` (P,). */
export const value = (surface, weights) => valueAt(surface.row, 0, surface.origin, weights);

/** The losses (count,) of a surface at the first `count` points of P columns of weights. */
export function valuesOf(surface, columns, count) {
  const at = new Float64Array(surface.origin.length);
  return Float64Array.from({ length: count }, (_, k) => {
    for (let i = 0; i < at.length; i++) at[i] = columns[i][k];
    return value(surface, at);
  });
}

/** The losses (S,) at the points from + position (to - from), for each of the positions (S,). */
export function section(surface, from, to, positions, out) {
  const at = new Float64Array(surface.origin.length);
  for (let k = 0; k < positions.length; k++) {
    for (let i = 0; i < at.length; i++) at[i] = from[i] + positions[k] * (to[i] - from[i]);
    out[k] = value(surface, at);
  }
  return out;
}

/**
 * The minimum {weights (P,), loss, unique} of a surface.
 *
 * The columns of A are scaled to ones on the diagonal, so that the rank does not depend on units.
 * If the minimum is not unique, `weights` is the one nearest to the origin, in these units.
 */
export function minimum({ row, origin }) {
  const A = matrixOf(row, origin.length);
  const c = origin.length === 3 ? [row[3], row[4], row[9]] : [row[3], row[4]];
  const scale = A.map((line, i) => (line[i] > 0 ? 1 / Math.sqrt(line[i]) : 1));
  const scaled = A.map((line, i) => line.map((a, j) => a * scale[i] * scale[j]));
  const { values, vectors } = eigen(scaled);
  const least = RANK_TOLERANCE * Math.max(...values, 0);
  const d = c.map(() => 0);
  let loss = row[5];
  values.forEach((eigenvalue, k) => {
    if (eigenvalue <= least) return;
    const along = sum(c, (b, i) => (b / 2) * scale[i] * vectors[i][k]);
    loss -= (along * along) / eigenvalue;
    for (let i = 0; i < d.length; i++) d[i] += scale[i] * vectors[i][k] * (along / eigenvalue);
  });
  const weights = Float64Array.from(origin, (o, i) => o + d[i]);
  return { weights, loss: Math.max(loss, 0), unique: values.every((found) => found > least) };
}

/** A of a row of a table. */
function matrixOf(row, parameters) {
  const places = parameters === 2 ? [[0, 1], [1, 2]] : [[0, 1, 6], [1, 2, 7], [6, 7, 8]];
  return places.map((line) => line.map((place) => row[place] / 2));
}

/** Eigenvalues and eigenvectors (in columns) of a small symmetric matrix, by Jacobi rotations. */
function eigen(matrix) {
  const a = matrix.map((line) => [...line]);
  const size = a.length;
  const vectors = a.map((_, i) => a.map((_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let rotated = false;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (a[p][q] === 0) continue;
        rotated = true;
        const ratio = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.hypot(ratio, 1));
        const cos = 1 / Math.hypot(t, 1);
        rotate(a, vectors, p, q, cos, t * cos);
      }
    }
    if (!rotated) break;
  }
  return { values: a.map((line, i) => line[i]), vectors };
}

/** One rotation in the plane of axes p and q, which makes a[p][q] zero. */
function rotate(a, vectors, p, q, cos, sin) {
  for (const line of [...a, ...vectors]) {
    [line[p], line[q]] = [cos * line[p] - sin * line[q], sin * line[p] + cos * line[q]];
  }
  for (let j = 0; j < a.length; j++) {
    [a[p][j], a[q][j]] = [cos * a[p][j] - sin * a[q][j], sin * a[p][j] + cos * a[q][j]];
  }
  a[p][q] = 0;
  a[q][p] = 0;
}

const sum = (values, term) => values.reduce((total, each, i) => total + term(each, i), 0);
