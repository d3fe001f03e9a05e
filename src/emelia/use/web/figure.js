// The canvas as a slider in time: drawn anew when its size or the colours change, moved by
// pointer and keys, with a playhead on top.

import { Plot, margin } from "./plot.js";

/**
 * @typedef {(plot: Plot) => void} Painter
 * @typedef {import("./plot.js").Span} Span
 */

export class Figure {
  /**
   * @param {HTMLElement} host with a canvas and a playhead in it
   * @param {{seek: (seconds: number) => void, play: () => void, toggle: () => void}} on
   *   what pointer and keys ask for
   */
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.canvas = /** @type {HTMLCanvasElement} */ (host.querySelector("canvas"));
    this.playhead = /** @type {HTMLElement} */ (host.querySelector(".playhead"));
    /** @type {Painter | null} */
    this.paint = null;
    /** @type {Span} */
    this.span = { start: 0, end: 1 };
    this.position = 0;
    this.seekable = false;
    new ResizeObserver(() => this.draw()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    host.addEventListener("click", (event) => this.#point(event)); // not where a finger scrolls
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {Painter} paint @param {Span} span
   * @param {string} name what it shows, for those who do not see it; none: not a slider
   */
  show(paint, span, name = "") {
    this.paint = paint;
    this.span = span;
    this.seekable = name !== "";
    const { host } = this;
    if (this.seekable) {
      host.tabIndex = 0;
      host.setAttribute("role", "slider");
      host.setAttribute("aria-label", name);
      host.setAttribute("aria-valuemin", String(span.start));
      host.setAttribute("aria-valuemax", span.end.toFixed(1));
    } else {
      for (const a of [...host.attributes])
        if (/^(tabindex|role|aria-)/.test(a.name)) host.removeAttribute(a.name);
    }
    this.playhead.hidden = !this.seekable;
    this.draw();
  }

  draw() {
    if (!this.canvas.clientWidth) return;
    const plot = new Plot(this.canvas, this.span);
    this.paint?.(plot);
    this.#place();
  }

  /** @param {number} position seconds @param {string} text what is there */
  move(position, text) {
    this.position = position;
    this.host.setAttribute("aria-valuenow", position.toFixed(1));
    this.host.setAttribute("aria-valuetext", text);
    this.#place();
  }

  #place() {
    const { start, end } = this.span;
    const width = this.canvas.clientWidth;
    const left = margin(width);
    const share = Math.min(1, Math.max(0, (this.position - start) / (end - start)));
    this.playhead.style.transform = `translateX(${left + share * (width - 6 - left)}px)`;
  }

  /** @param {MouseEvent} event */
  #point(event) {
    if (!this.seekable) return;
    const box = this.host.getBoundingClientRect();
    const left = margin(box.width);
    const share = (event.clientX - box.left - left) / (box.width - 6 - left);
    this.#seek(this.span.start + share * (this.span.end - this.span.start));
    this.on.play();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.seekable || event.ctrlKey || event.altKey || event.metaKey) return;
    const { start, end } = this.span;
    const step = end - start > 30 ? 1 : 0.1;
    const to = {
      ArrowLeft: this.position - step,
      ArrowDown: this.position - step,
      ArrowRight: this.position + step,
      ArrowUp: this.position + step,
      PageDown: this.position - 10 * step,
      PageUp: this.position + 10 * step,
      Home: start,
      End: end,
    }[event.key];
    if (to !== undefined) this.#seek(to);
    else if (event.key === "Enter" || event.key === " ") this.on.toggle();
    else return;
    event.preventDefault();
  }

  /** @param {number} seconds */
  #seek(seconds) {
    this.on.seek(Math.min(this.span.end, Math.max(this.span.start, seconds)));
  }
}
