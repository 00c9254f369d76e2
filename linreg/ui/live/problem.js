// What Python sends (linreg/training/browser.py), unpacked for the trainer.

import { batchCount, batchMoments, tableWidth } from "./moments.js";

const TYPES = { f8: Float64Array, u4: Uint32Array, u2: Uint16Array };

/**
 * The array of a reference.
 * @param {[string, number, number]} reference type, offset in bytes, count
 * @param {Uint8Array} bytes
 */
export function arrayOf([type, offset, count], bytes) {
  const Type = TYPES[type];
  const start = bytes.byteOffset + offset;
  if (start % Type.BYTES_PER_ELEMENT === 0) return new Type(bytes.buffer, start, count);
  return new Type(bytes.slice(offset, offset + count * Type.BYTES_PER_ELEMENT).buffer);
}

/**
 * One training: its rule, its settings, and the moments of its batches.
 *
 * `table` (K * width) holds a row for each of the K batches, as `moments.js` describes it. `rows`
 * are null where Python sent the moments instead.
 * @param {object} sent one of `problems`
 * @param {Uint8Array} bytes `numbers`
 */
export function unpack(sent, bytes) {
  const array = (reference) => arrayOf(reference, bytes);
  const origin = Float64Array.from(sent.origin); // (P,)
  const shared = {
    ...sent,
    origin,
    constants: Float64Array.from(sent.constants),
    constants_per_momentum: Float64Array.from(sent.constants_per_momentum),
    schedule: sent.schedule.map(array),
  };
  if (sent.moments) {
    return { ...shared, rows: null, table: tableOfColumns(sent.moments.map(array)) };
  }
  const rows = unpackRows(sent.rows, bytes);
  const table = new Float64Array(batchCount(rows, sent.batch_size) * tableWidth(origin.length));
  return { ...shared, rows, table: batchMoments(rows, sent.batch_size, sent.pairs, origin, table) };
}

/**
 * The rows of a table: x1, x2, y (N,), and `order` (E * N,) in E epochs, or null.
 * @param {object} sent references
 * @param {Uint8Array} bytes
 */
export function unpackRows(sent, bytes) {
  return {
    x1: arrayOf(sent.x1, bytes),
    x2: arrayOf(sent.x2, bytes),
    y: arrayOf(sent.y, bytes),
    order: sent.order ? arrayOf(sent.order, bytes) : null,
  };
}

/** Columns (K,) side by side, as the rows of a table (K * width). */
function tableOfColumns(columns) {
  const width = columns.length;
  const table = new Float64Array(columns[0].length * width);
  columns.forEach((column, i) => {
    for (let k = 0; k < column.length; k++) table[k * width + i] = column[k];
  });
  return table;
}
