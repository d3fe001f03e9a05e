// A long recording, or a live one: waveform with its segments, and a row for each emotion.

import { colourName } from "./plot.js";

/**
 * @typedef {import("./api.js").Window} Window
 * @typedef {{peaks: import("./plot.js").Peaks | null, runs: Window[][],
 *   segments: import("./api.js").Segment[], labels: string[]}} Course
 *   `runs` are unbroken stretches of speech, each a row of moments without overlap
 */

const WAVE = 84; // pixels, of which the topmost name the segments
const NAMES = 18;
const GAP = 8;

/** @param {import("./plot.js").Plot} plot @param {Course} course */
export function paintCourse(plot, course) {
  paintSegments(plot, course.segments);
  if (course.peaks) plot.waveform(course.peaks, NAMES, WAVE - NAMES);
  const height = (plot.bottom - WAVE - GAP) / Math.max(1, course.labels.length);
  course.labels.forEach((label, i) => paintRow(plot, course, label, WAVE + GAP + i * height, height));
  plot.timeAxis();
}

/** @param {import("./plot.js").Plot} plot @param {import("./api.js").Segment[]} segments */
function paintSegments(plot, segments) {
  const { ctx } = plot;
  for (const { start, end, emotion, unsure } of segments) {
    const left = plot.x(start);
    const width = Math.max(1, plot.x(end) - left - 1);
    plot.clip(0, WAVE);
    ctx.fillStyle = plot.colour(unsure ? "--quiet" : colourName(emotion));
    ctx.globalAlpha = unsure ? 0.12 : 0.2;
    ctx.fillRect(left, NAMES, width, WAVE - NAMES);
    ctx.globalAlpha = 1;
    if (!unsure) ctx.fillRect(left, NAMES - 3, width, 3);
    else for (let x = left; x < left + width; x += 6) ctx.fillRect(x, NAMES - 3, 3, 3);
    ctx.beginPath();
    ctx.rect(left, 0, width, WAVE);
    ctx.clip();
    const name = unsure ? "not sure" : emotion;
    const shown = Math.max(left, plot.left); // a live segment may begin left of the plot
    if (ctx.measureText(name).width + 4 < left + width - shown)
      plot.text(name, shown + 2, 7, { colour: unsure ? "--quiet" : colourName(emotion) });
    ctx.restore();
  }
}

/**
 * One emotion's probability over time, full where it is the answer.
 * @param {import("./plot.js").Plot} plot @param {Course} course @param {string} label
 * @param {number} top @param {number} height
 */
function paintRow(plot, course, label, top, height) {
  const { ctx } = plot;
  const base = top + height - 1;
  const room = height - 5;
  const colour = plot.colour(colourName(label));
  plot.rule(base);
  for (const run of course.runs) {
    const line = run.map((m) => [plot.x((m.start + m.end) / 2), base - room * (m.probabilities[label] ?? 0)]);
    line.unshift([plot.x(run[0].start), line[0][1]]);
    line.push([plot.x(run[run.length - 1].end), line[line.length - 1][1]]);
    const area = () => trace(ctx, [[line[0][0], base], ...line, [line[line.length - 1][0], base]]);
    plot.clip(top, height);
    ctx.fillStyle = colour;
    ctx.globalAlpha = 0.22;
    area();
    ctx.fill();
    ctx.globalAlpha = 0.8;
    ctx.beginPath();
    for (const { start, end, emotion, unsure } of course.segments)
      if (emotion === label && !unsure) ctx.rect(plot.x(start), top, plot.x(end) - plot.x(start), height);
    ctx.clip();
    area();
    ctx.fill();
    ctx.restore();
    plot.clip(top, height);
    trace(ctx, line);
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5;
    ctx.stroke();
    ctx.restore();
  }
  if (plot.narrow) plot.text(label, plot.left + 3, top + 8, { colour: "--ink" });
  else
    plot.text(label, plot.left - 8, base - room / 2, {
      align: "right",
      colour: colourName(label),
      bold: true,
    });
}

/** @param {CanvasRenderingContext2D} ctx @param {number[][]} points */
function trace(ctx, points) {
  ctx.beginPath();
  for (const [x, y] of points) ctx.lineTo(x, y);
}

/**
 * Runs of speech. As for the segments, each moment has the mean of all windows that heard it.
 * @param {Window[]} windows in order; they overlap within a run of speech, and only there
 * @returns {Window[][]}
 */
export function toRuns(windows) {
  /** @type {Window[][]} */
  const found = [];
  windows.forEach((window, i) => {
    if (i && window.start < windows[i - 1].end) found[found.length - 1].push(window);
    else found.push([window]);
  });
  return found.map(toMoments);
}

/** @param {Window[]} run @returns {Window[]} from each edge of a window to the next */
function toMoments(run) {
  const edges = [...new Set(run.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  let first = 0;
  return edges.slice(1).map((end, i) => {
    while (run[first].end < end) first += 1;
    let beyond = first;
    while (beyond < run.length && run[beyond].start <= edges[i]) beyond += 1;
    return { start: edges[i], end, probabilities: mean(run.slice(first, beyond)) };
  });
}

/** @param {Window[]} windows @returns {import("./api.js").Probabilities} */
function mean(windows) {
  const labels = Object.keys(windows[0].probabilities);
  const sum = (/** @type {string} */ label) =>
    windows.reduce((total, w) => total + w.probabilities[label], 0);
  return Object.fromEntries(labels.map((label) => [label, sum(label) / windows.length]));
}

/** @param {Course} course @param {number} time seconds @returns {import("./api.js").Segment | undefined} */
export function segmentAt(course, time) {
  return course.segments.find(({ start, end }) => start <= time && time < end);
}

/** @param {Course} course @param {number} time seconds @returns {Window | undefined} */
export function momentAt(course, time) {
  const within = (/** @type {Window} */ m) => m.start <= time && time < m.end;
  return course.runs.find((run) => run[0].start <= time && time < run[run.length - 1].end)?.find(within);
}
