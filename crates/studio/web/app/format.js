// Numbers and times as people read them. Times are UTC, as rules have them.

const grouped = new Intl.NumberFormat("en-US");

/** @param {number} n */
export const count = (n) => grouped.format(n);

/** @param {number | null | undefined} n */
export function number(n) {
  if (n === null || n === undefined || !Number.isFinite(n)) return "–";
  const size = Math.abs(n);
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) return n.toExponential(2);
  return grouped.format(Number(n.toPrecision(5)));
}

/** @param {number} n */
export const rate = (n) => (n >= 100 ? count(Math.round(n)) : n.toFixed(1));

/** @param {number | null | undefined} share */
export const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(share * 100)}%`);

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  for (const [length, unit] of /** @type {[number, string][]} */ ([[86400, "d"], [3600, "h"], [60, "min"]])) {
    if (Math.abs(seconds) >= 2 * length || (Math.abs(seconds) >= length && seconds % length === 0)) {
      return `${Number((seconds / length).toFixed(1))} ${unit}`;
    }
  }
  return `${seconds} s`;
}

/** @param {number} millis */
export function time(millis) {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().replace("T", " ").replace(/:00\.000Z$|\.000Z$|Z$/, "");
}

/** @param {number} millis */
export const day = (millis) => time(millis).slice(0, 10);

/** @param {number} n @param {string} one @param {string} many */
export const counted = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
