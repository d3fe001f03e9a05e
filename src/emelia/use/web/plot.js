// A canvas with a time axis, and what every figure draws on one.

/**
 * @typedef {{start: number, end: number}} Span seconds
 * @typedef {{start: number, step: number, low: number[], high: number[]}} Peaks
 *   the lowest and highest sample in each step of so many seconds
 */

const KNOWN = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];
const AXIS = 22; // pixels below the plot for the time axis

/** @param {string} label @returns {string} the name of the style sheet's colour for an emotion */
export function colourName(label) {
  if (KNOWN.includes(label)) return `--${label}`;
  return [...label].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 2 ? "--other-1" : "--other-2";
}

export class Plot {
  /** @param {HTMLCanvasElement} canvas @param {Span} span */
  constructor(canvas, span) {
    const density = window.devicePixelRatio || 1;
    this.width = canvas.clientWidth;
    this.height = canvas.clientHeight;
    canvas.width = Math.round(this.width * density);
    canvas.height = Math.round(this.height * density);
    this.ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.ctx.scale(density, density);
    this.styles = getComputedStyle(canvas);
    this.ctx.font = `12px ${this.styles.fontFamily}`;
    this.narrow = this.width < 480;
    this.left = margin(this.width);
    this.right = this.width - 6;
    this.bottom = this.height - AXIS;
    this.span = span;
  }

  /** @param {string} name of a custom property, with its dashes @returns {string} */
  colour(name) {
    return this.styles.getPropertyValue(name).trim();
  }

  /** @param {number} seconds @returns {number} */
  x(seconds) {
    const { start, end } = this.span;
    return this.left + ((seconds - start) / (end - start)) * (this.right - this.left);
  }

  /**
   * @param {string} text @param {number} x @param {number} y
   * @param {{align?: CanvasTextAlign, colour?: string, bold?: boolean, baseline?: CanvasTextBaseline}} [how]
   */
  text(text, x, y, { align = "left", colour = "--quiet", bold = false, baseline = "middle" } = {}) {
    const { ctx } = this;
    ctx.font = `${bold ? "600 " : ""}12px ${this.styles.fontFamily}`;
    ctx.textAlign = align;
    ctx.textBaseline = baseline;
    ctx.fillStyle = this.colour(colour);
    ctx.fillText(text, x, y);
  }

  /** @param {number} top @param {number} height draw only between the two, and between the margins */
  clip(top, height) {
    this.ctx.save();
    this.ctx.beginPath();
    this.ctx.rect(this.left, top, this.right - this.left, height);
    this.ctx.clip();
  }

  /** @param {number} y a faint line across */
  rule(y) {
    this.ctx.fillStyle = this.colour("--line");
    this.ctx.fillRect(this.left, Math.round(y) - 0.5, this.right - this.left, 1);
  }

  /** Ticks below the plot, and "s" or "min:s" where the margin is. */
  timeAxis() {
    const { start, end } = this.span;
    const step = tick((end - start) / Math.max(2, (this.right - this.left) / 76));
    const long = end >= 60;
    if (!long || !this.narrow)
      this.text(long ? "min:s" : "s", this.left - 18, this.bottom + 13, { align: "right" });
    for (let i = Math.ceil(start / step - 1e-6); i * step <= end + 1e-6; i += 1) {
      const x = this.x(i * step);
      this.ctx.fillStyle = this.colour("--edge");
      this.ctx.fillRect(x - 0.5, this.bottom, 1, 4);
      const label = long ? minutes(i * step) : String(Number((i * step).toFixed(2)));
      const half = this.ctx.measureText(label).width / 2;
      this.text(label, Math.min(x, this.width - half), this.bottom + 13, { align: "center" });
    }
  }

  /** @param {Peaks} peaks @param {number} top @param {number} height */
  waveform(peaks, top, height) {
    const { ctx } = this;
    const loudest = Math.max(0.02, ...peaks.high.map(Math.abs), ...peaks.low.map(Math.abs));
    const middle = top + height / 2;
    const scale = (0.5 * height - 1) / loudest;
    const width = Math.max(1, this.x(peaks.start + peaks.step) - this.x(peaks.start));
    this.clip(top, height);
    ctx.fillStyle = this.colour("--ink");
    peaks.high.forEach((high, i) => {
      const rise = Math.max(0.5, high * scale);
      const fall = Math.max(0.5, -peaks.low[i] * scale);
      ctx.fillRect(this.x(peaks.start + i * peaks.step), middle - rise, width, rise + fall);
    });
    ctx.restore();
  }
}

/** @param {import("./api.js").Waveform} wave @returns {Peaks} */
export function peaks({ seconds, low, high }) {
  return { start: 0, step: seconds / Math.max(1, low.length), low, high };
}

/** @param {number} width of the canvas @returns {number} pixels left of the plot, for its labels */
export function margin(width) {
  return width < 480 ? 44 : 78;
}

/** @param {number} least seconds @returns {number} the next round step */
function tick(least) {
  const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];
  return steps.find((step) => step >= least) ?? 3600;
}

/** @param {number} seconds @returns {string} */
function minutes(seconds) {
  const rest = Math.round(seconds);
  return `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, "0")}`;
}
