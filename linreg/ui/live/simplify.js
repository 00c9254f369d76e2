/** Line simplification as by Ramer, Douglas and Peucker, as in `linreg/figures/simplify.py`. */

/**
 * The indices of the points to keep: no other is farther than 1 from the line of these.
 * @param {Float64Array} x - (n,)
 * @param {Float64Array} y - (n,)
 */
export function keptPoints(x, y) {
  const last = x.length - 1;
  const isKept = new Uint8Array(x.length);
  isKept[0] = isKept[last] = 1; // nothing where there are no points
  const waiting = [0, last]; // first and last point of each piece that is still to be split
  while (waiting.length) {
    const end = waiting.pop();
    const begin = waiting.pop();
    const split = farthest(x, y, begin, end);
    if (split < 0) continue;
    isKept[split] = 1;
    waiting.push(begin, split, split, end);
  }
  const kept = [];
  for (let k = 0; k <= last; k++) if (isKept[k]) kept.push(k);
  return kept;
}

/** The point of a piece that is farthest from its chord, -1 where none is farther than 1. */
function farthest(x, y, begin, end) {
  const [dx, dy] = [x[end] - x[begin], y[end] - y[begin]];
  const length = dx * dx + dy * dy || 1;
  let most = 1;
  let split = -1;
  for (let k = begin + 1; k < end; k++) {
    let u = x[k] - x[begin];
    let v = y[k] - y[begin];
    const t = Math.min(Math.max((u * dx + v * dy) / length, 0), 1);
    u -= t * dx;
    v -= t * dy;
    const distance = u * u + v * v;
    if (distance > most) {
      most = distance;
      split = k;
    }
  }
  return split;
}
