/** Line simplification as by Ramer, Douglas and Peucker, as in `linreg/figures/simplify.py`. */

/**
 * The indices of the points (n, 2) to keep: no other is farther than a pixel from their line.
 * @param {number[][]} line
 * @param {number[]} pixel - its width and height
 */
export function keptPoints(line, [width, height]) {
  const points = line.map(([x, y]) => [x / width, y / height]);
  const isKept = new Uint8Array(points.length);
  if (points.length) isKept[0] = isKept[points.length - 1] = 1;
  const waiting = [[0, points.length - 1]]; // pieces still to be split
  while (waiting.length) {
    const [first, last] = waiting.pop();
    const split = farthest(points, first, last);
    if (split < 0) continue;
    isKept[split] = 1;
    waiting.push([first, split], [split, last]);
  }
  return Array.from(points.keys()).filter((k) => isKept[k]);
}

/** The point of a piece that is farthest from its chord, -1 where none is farther than a pixel. */
function farthest(points, first, last) {
  const [x0, y0] = points[first] ?? [0, 0];
  const [x, y] = [points[last]?.[0] - x0, points[last]?.[1] - y0];
  const length = x * x + y * y || 1;
  let [most, split] = [1, -1];
  for (let k = first + 1; k < last; k++) {
    const [u, v] = [points[k][0] - x0, points[k][1] - y0];
    const t = Math.min(Math.max((u * x + v * y) / length, 0), 1);
    const distance = (u - t * x) ** 2 + (v - t * y) ** 2;
    if (distance > most) [most, split] = [distance, k];
  }
  return split;
}
