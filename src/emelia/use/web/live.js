// The microphone sent to the server as one speaks, and the answers as they come.

import { Microphone, level } from "./audio.js";
import { toRuns } from "./timeline.js";
import { capital } from "./words.js";

const SHOWN = 30; // seconds in the figure
const STEP = 0.05; // seconds of a block, and of a bar of the waveform
const MOST_BEHIND = 5; // seconds that may wait to be sent

/**
 * @typedef {{level: (level: number) => void, course: () => void,
 *   segment: (segment: import("./api.js").Segment) => void, end: (problem?: string) => void}} Listener
 */

export class Live {
  /** @param {Microphone} microphone @param {WebSocket} socket @param {string[]} labels @param {Listener} on */
  constructor(microphone, socket, labels, on) {
    this.microphone = microphone;
    this.socket = socket;
    this.on = on;
    this.seconds = 0;
    this.stopping = false;
    this.ended = false;
    /** @type {number | undefined} clips of its source that the last answers are adapted to */
    this.adapted = undefined;
    /** @type {import("./timeline.js").Course} */
    this.course = { peaks: { start: 0, step: STEP, low: [], high: [] }, runs: [], segments: [], labels };
    /** @type {import("./api.js").Window[]} */
    this.windows = [];
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ reason }) =>
      this.#finish(
        reason || "The server ended the connection. See that `emelia serve` is running, then start again.",
      );
  }

  /**
   * @param {import("./api.js").Api} api @param {import("./api.js").Choice} choice
   * @param {string[]} labels @param {Listener} on
   * @returns {Promise<Live>}
   */
  static async start(api, choice, labels, on) {
    const microphone = await Microphone.open();
    const live = new Live(microphone, api.live(microphone.rate, choice), labels, on);
    live.socket.onopen = () =>
      microphone.start(
        (block) => live.#send(block),
        () => live.#finish("The microphone is gone. Connect it, then start again."),
      );
    return live;
  }

  /** Let the server finish what it has; called again, or with no server, end at once. */
  async stop() {
    if (this.stopping || this.socket.readyState !== WebSocket.OPEN) return this.#finish();
    this.stopping = true;
    await this.microphone.close();
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send("end");
  }

  /** @returns {import("./plot.js").Span} what the figure shows: its last part */
  get span() {
    const end = Math.max(SHOWN, this.seconds);
    return { start: end - SHOWN, end };
  }

  /** @param {Float32Array<ArrayBuffer>} block */
  #send(block) {
    if (this.socket.readyState !== WebSocket.OPEN || !block.length) return;
    if (this.socket.bufferedAmount > MOST_BEHIND * this.microphone.rate * 4)
      return this.#finish("The connection is too slow for live sound. Record instead.");
    this.socket.send(block);
    this.seconds += block.length / this.microphone.rate;
    const peaks = /** @type {import("./plot.js").Peaks} */ (this.course.peaks);
    peaks.low.push(Math.min(...block));
    peaks.high.push(Math.max(...block));
    if (peaks.low.length > SHOWN / STEP) {
      peaks.low.shift();
      peaks.high.shift();
    }
    peaks.start = this.seconds - peaks.low.length * STEP;
    this.on.level(level(block));
  }

  /** @param {any} event */
  #hear(event) {
    if (event.type === "window") {
      this.windows.push(event);
      this.course.runs = toRuns(this.windows);
    }
    if (event.type === "segment") {
      this.course.segments.push(event);
      this.on.segment(event);
    }
    if (event.type === "error") this.#finish(capital(event.error));
    else if (event.type === "end") {
      this.adapted = event.adapted;
      this.#finish();
    }
    else this.on.course();
  }

  /** @param {string} [problem] */
  #finish(problem) {
    if (this.ended) return;
    this.ended = true;
    this.socket.close();
    this.microphone.close();
    this.on.end(problem);
  }
}
