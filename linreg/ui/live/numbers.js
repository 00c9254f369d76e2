/** Numbers as text, as `linreg/text/numbers.py` writes them. */

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const EXACT = 100; // decimals, the most that JavaScript gives

/** A loss or another magnitude: `332,468`, `1.05`, `0.00312`, `3.2 × 10³⁰`. */
export function quantity(value, digits = 3) {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e9 || size < 1e-4) {
    const [mantissa, exponent] = scientific(value).split("e");
    return `${withMinus(mantissa)} × 10${superscript(Number(exponent))}`;
  }
  if (size >= 1000) return withMinus(grouped(fixed(value, 0)));
  const decimals = Math.max(digits - 1 - Math.floor(Math.log10(size)), 0);
  return withMinus(grouped(fixed(value, decimals)));
}

/** Weights as a point: `(5.00, 3.00)`, or with a bias `(5.00, 3.00; bias 0.01)`. */
export function point(weights, decimals = 2) {
  const [w1, w2, bias] = Array.from(weights, (weight) => coordinate(weight, decimals));
  return `(${w1}, ${w2}${bias === undefined ? "" : `; bias ${bias}`})`;
}

/** A weight: `−0.27`. Large ones are a `quantity`, and zero has no sign. */
export function coordinate(value, decimals = 2) {
  if (Math.abs(value) >= 10_000) return quantity(value);
  const text = fixed(value, decimals);
  if (Number.isNaN(value)) return text;
  return withMinus(Number(text) === 0 ? text.replace("-", "") : text);
}

/** R² with four decimals, or more where it would be rounded to 1. */
export function r2Text(value) {
  if (Number.isNaN(value)) return "undefined";
  if (value < -100) return quantity(value);
  for (let decimals = 4; decimals < 16; decimals++) {
    const text = fixed(value, decimals);
    if (value !== 1 && Number(text) === 1) continue;
    return Number(text) ? withMinus(text) : fixed(0, decimals);
  }
  return "1";
}

/** With so many decimals, and separators: `−1,234.5`; very large and very small, a `quantity`. */
export function decimal(value, decimals) {
  const size = Math.abs(value);
  if (size && (size >= 1e9 || size < 1e-4)) return quantity(value, 4);
  return withMinus(grouped(fixed(value, decimals)));
}

/** A whole number with separators: `3,000`. */
export function count(value) {
  return grouped(String(value));
}

/** Rounded to this many decimals; where two are as near, to the even one, as in Python. */
export function fixed(value, decimals) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  const rounded = size.toFixed(decimals);
  if (!isHalfway(size.toFixed(EXACT), decimals)) return sign + rounded;
  return sign + (isOdd(rounded) ? (size - 0.5 * 10 ** -decimals).toFixed(decimals) : rounded);
}

/** With one decimal and an exponent: `-1.5e-7`, rounded as by `fixed`. */
function scientific(value) {
  const [mantissa, exponent] = value.toExponential(1).split("e");
  const [exact, exactExponent] = value.toExponential(EXACT).split("e");
  if (exponent !== exactExponent || !isHalfway(exact, 1) || !isOdd(mantissa)) {
    return `${mantissa}e${exponent}`;
  }
  return `${exact.slice(0, exact.indexOf(".") + 2)}e${exponent}`;
}

/** Whether the exact decimals say 5 after those that are kept, and nothing else. */
function isHalfway(exact, decimals) {
  return /^50*$/.test(exact.slice(exact.indexOf(".") + 1 + decimals));
}

function isOdd(text) {
  return "13579".includes(text.at(-1));
}

function grouped(text) {
  const [whole, decimals] = text.split(".");
  const separated = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? separated : `${separated}.${decimals}`;
}

function withMinus(text) {
  return text.replace("-", "−");
}

function superscript(whole) {
  const digits = Array.from(String(Math.abs(whole)), (digit) => SUPERSCRIPTS[digit]);
  return (whole < 0 ? "⁻" : "") + digits.join("");
}
