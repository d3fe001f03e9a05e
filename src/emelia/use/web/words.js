// Numbers and labels as people read them.

/** @param {number} share 0 to 1 @returns {string} in percent, in one piece; never a rounded certainty */
export function percent(share) {
  if (share < 0.005) return "<\u00a01\u00a0%";
  if (share > 0.995) return ">\u00a099\u00a0%";
  return `${Math.round(100 * share)}\u00a0%`;
}

/** @param {number} seconds @param {boolean} [tenths] @returns {string} 1:05, 1:05.3 or 1:02:05 */
export function clock(seconds, tenths = false) {
  const steps = tenths ? 10 : 1;
  const whole = Math.floor(seconds * steps + 1e-6) / steps;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(tenths ? 1 : 0).padStart(tenths ? 4 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/**
 * From when to when, with tenths where whole seconds would tell little of it, or nothing.
 * @param {import("./plot.js").Span} span @returns {string} 0:38 to 0:41, or 0:41.2 to 0:41.7
 */
export function stretch({ start, end }) {
  const tenths = end - start < 2;
  return `${clock(start, tenths)} to ${clock(end, tenths)}`;
}

/**
 * @param {number} spoken seconds @param {number} seconds of all
 * @returns {string} 2.2 s of speech in 18.1 s
 */
export function speechIn(spoken, seconds) {
  return `${duration(spoken)} of speech in ${duration(seconds)}`;
}

/** @param {number} seconds @returns {string} 3.2 s or 4 min 10 s */
export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)}\u00a0s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}\u00a0min ${whole % 60}\u00a0s`;
}

/** @param {string} text @returns {string} */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {string[]} items @returns {string} "a, b and c" */
export function list(items) {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/**
 * The most likely labels first.
 * @param {Record<string, number>} probabilities
 * @returns {[string, number][]}
 */
export function ranked(probabilities) {
  return Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
}
