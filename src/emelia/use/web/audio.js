// The microphone as blocks of samples, and samples as a WAV file.

import { ApiError, GONE } from "./api.js";

/** What the browser says where it gives no microphone: @type {Record<string, string>} */
const REFUSALS = {
  NotAllowedError:
    "The browser may not use the microphone. Allow it beside the address, then try again, or choose a file.",
  NotFoundError: "No microphone was found. Connect one and try again, or choose a file.",
  NotReadableError:
    "The microphone cannot be used; perhaps another program has it. Close that and try again, or choose a file.",
};

/** An open microphone. */
export class Microphone {
  /**
   * @param {AudioContext} context
   * @param {MediaStream} stream
   * @param {AudioWorkletNode} node
   */
  constructor(context, stream, node) {
    this.context = context;
    this.stream = stream;
    this.node = node;
    this.rate = context.sampleRate;
    /** @type {Promise<void> | undefined} */
    this.closing = undefined;
  }

  /**
   * @returns {Promise<Microphone>}
   * @throws {Error} with a sentence for the person
   */
  static async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error(
        "Browsers give the microphone only to pages that come over https or from this machine (http://localhost). Choose a file instead.",
      );
    }
    const context = new AudioContext();
    try {
      await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url)).catch(() => {
        throw new ApiError(0, GONE);
      });
      // The voice as it is: what calls need to sound clear would change what the model hears.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const stream = await navigator.mediaDevices.getUserMedia({ audio });
      return new Microphone(context, stream, new AudioWorkletNode(context, "blocks", { numberOfOutputs: 0 }));
    } catch (error) {
      context.close();
      if (error instanceof ApiError) throw error;
      const name = error instanceof Error ? error.name : "";
      throw new Error(REFUSALS[name] ?? `The microphone failed (${name}). Try again, or choose a file.`);
    }
  }

  /** @param {(block: Float32Array<ArrayBuffer>) => void} onBlock mono, 50 ms each @param {() => void} onLost */
  start(onBlock, onLost) {
    this.node.port.onmessage = ({ data }) => data && onBlock(data);
    this.stream.getAudioTracks()[0].onended = onLost; // unplugged, or permission withdrawn
    this.context.createMediaStreamSource(this.stream).connect(this.node);
    return this.context.resume();
  }

  /** Deliver what is left, then let the microphone go; more calls do nothing more. */
  close() {
    this.closing ??= this.#close();
    return this.closing;
  }

  async #close() {
    const deliver = this.node.port.onmessage;
    await new Promise((resolve) => {
      setTimeout(resolve, 500); // a context that the browser suspended never answers
      this.node.port.onmessage = (event) =>
        event.data ? deliver?.call(this.node.port, event) : resolve(null);
      this.node.port.postMessage("end");
    });
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
  }
}

/** @param {Float32Array} block @returns {number} 0 (-60 dB or less) to 1 (full scale) */
export function level(block) {
  let sum = 0;
  for (const x of block) sum += x * x;
  const decibels = 10 * Math.log10(sum / Math.max(1, block.length) + 1e-12);
  return Math.min(1, Math.max(0, 1 + decibels / 60));
}

/**
 * @param {Float32Array[]} blocks mono, -1 to 1
 * @param {number} rate Hz
 * @returns {Blob} a WAV file, PCM of 16 bits
 */
export function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const word = (/** @type {number} */ at, /** @type {string} */ text) =>
    [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a frame
  view.setUint16(34, 16, true); // bits
  word(36, "data");
  view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const block of blocks) {
    for (const x of block) {
      view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, x))), true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
