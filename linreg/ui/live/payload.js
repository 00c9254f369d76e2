/** Reads what `payload.py` packs: JSON, and the numbers beside it as they lie in memory. */

const ALIGNMENT = 8;

const ARRAYS = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

/**
 * The value that was packed, with typed arrays in the place of NumPy's.
 * @param {Uint8Array} bytes
 */
export function unpack(bytes) {
  const aligned = bytes.byteOffset % ALIGNMENT ? bytes.slice() : bytes;
  const size = new DataView(aligned.buffer, aligned.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(aligned.subarray(4, 4 + size));
  const { value, parts } = JSON.parse(text);
  const begin = aligned.byteOffset + 4 + size;
  return filledIn(value, { parts, buffer: aligned.buffer, begin });
}

/** The value with what its references mean in their place: parts are copied, arrays are not. */
function filledIn(value, sent) {
  if (Array.isArray(value)) return value.map((part) => filledIn(part, sent));
  if (value === null || typeof value !== "object") return value;
  if (Number.isInteger(value.part)) return filledIn(sent.parts[value.part], sent);
  if (Array.isArray(value.array) && value.array[0] in ARRAYS) {
    const [dtype, offset, length, times = 1] = value.array;
    const array = new ARRAYS[dtype](sent.buffer, sent.begin + offset, length);
    return times === 1 ? array : ARRAYS[dtype].of(...array, ...array);
  }
  if ("codes" in value && "categories" in value) {
    const [codes, categories] = [value.codes, value.categories].map((part) => filledIn(part, sent));
    return Array.from(codes, (code) => (code < 0 ? null : categories[code]));
  }
  const filled = {};
  for (const [name, part] of Object.entries(value)) filled[name] = filledIn(part, sent);
  return filled;
}

/**
 * The rows of a table as Vega reads them.
 * @param {Object<string, ArrayLike>} columns
 * @returns {Object[]}
 */
export function rowsOf(columns) {
  const names = Object.keys(columns);
  const count = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(names.map((name) => [name, columns[name][row]])),
  );
}
