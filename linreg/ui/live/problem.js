// What Python sends (linreg/training/browser.py), unpacked for the trainer.

import { batchCount, batchMoments, tableWidth } from "./moments.js";

/**
 * One training: its rule, its settings, and the moments of its batches.
 *
 * `table` (K * width) holds a row for each of the K batches, as `moments.js` describes it. `rows`
 * are null where Python sent the moments instead.
 * @param {object} sent one of `problems`
 * @param {TypedArray[]} arrays which it refers to by their index
 */
export function problemOf(sent, arrays) {
  const origin = Float64Array.from(sent.origin); // (P,)
  const problem = {
    ...sent,
    origin,
    constants: Float64Array.from(sent.constants),
    constants_per_momentum: Float64Array.from(sent.constants_per_momentum),
    schedule: sent.schedule.map((index) => arrays[index]),
    rows: sent.rows && rowsOfTable(sent.rows, arrays),
  };
  return { ...problem, table: sent.moments ? sentTable(sent, arrays) : computedTable(problem) };
}

/** The rows of a table: x1, x2, y (N,), and in E epochs their `order` (E * N,), or null. */
export function rowsOfTable(sent, arrays) {
  const order = sent.order == null ? null : arrays[sent.order];
  return { x1: arrays[sent.x1], x2: arrays[sent.x2], y: arrays[sent.y], order };
}

/** The columns (K,) of the moments, side by side. */
function sentTable(sent, arrays) {
  const columns = sent.moments.map((index) => arrays[index]);
  const table = new Float64Array(columns[0].length * columns.length);
  columns.forEach((column, i) => {
    for (let k = 0; k < column.length; k++) table[k * columns.length + i] = column[k];
  });
  return table;
}

function computedTable({ rows, batch_size, pairs, origin }) {
  const table = new Float64Array(batchCount(rows, batch_size) * tableWidth(origin.length));
  return batchMoments(rows, batch_size, pairs, origin, table);
}
