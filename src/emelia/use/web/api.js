// The server's answers, and its refusals as sentences.

import { capital } from "./words.js";

/**
 * @typedef {Record<string, number>} Probabilities a share from 0 to 1 for each emotion
 * @typedef {{seconds: number, low: number[], high: number[]}} Waveform
 * @typedef {{bands: number, frames: number, low: number, high: number, data: string}} LogMel
 * @typedef {{start: number, end: number, probabilities: Probabilities}} Window
 * @typedef {{start: number, end: number, emotion: string, confidence: number, unsure: boolean,
 *   probabilities: Probabilities}} Segment
 * @typedef {{emotion: string, confidence: number, probabilities: Probabilities, unsure: boolean,
 *   seconds: number, speech: number, model: string, hop: number, warnings?: string[], adapted?: number, logmel?: LogMel | null,
 *   saliency?: number[] | null, waveform?: Waveform | null}} Clip
 * @typedef {{seconds: number, windows: Window[], segments: Segment[], waveform?: Waveform | null,
 *   model?: string, warnings?: string[], adapted?: number}} Timeline
 * @typedef {{model: string, emotions: string[], source: string}} Choice no emotions: all; a source to get used to
 */

export const GONE = "The server does not answer. See that `emelia serve` is running, then try again.";
/** What to say where the server itself said nothing: @type {Record<number, string>} */
const REFUSALS = {
  401: "This server answers only those who have its token. Try again to enter it.",
  413: "The recording is too large for this server. Cut it, or save it in a compressed format.",
  415: "This is not a recording the server can read. Use WAV, FLAC, MP3, Ogg, M4A or WebM.",
  429: "The server is busy. Wait a few seconds, then try again.",
  503: "The server is busy. Wait a few seconds, then try again.",
};

export class ApiError extends Error {
  /** @param {number} status @param {string} [text] what the server said */
  constructor(status, text) {
    super(
      (text && capital(text)) || REFUSALS[status] || `The server answered with error ${status}. Try again.`,
    );
    this.status = status;
  }
}

/** @param {string} path @returns {URL} relative to the page, wherever it is mounted */
const address = (path) => new URL(path, document.baseURI);

export class Api {
  /** @param {(again: boolean) => Promise<string | null>} askToken null: the person gave up */
  constructor(askToken) {
    this.askToken = askToken;
  }

  /** @returns {Promise<any>} */
  async models() {
    return (await this.#send("v1/models", {})).json();
  }

  /** @param {string} model its name @returns {Promise<string>} its card */
  async card(model) {
    return (await this.#send(`v1/models/${encodeURIComponent(model)}/card`, {})).text();
  }

  /** @param {Blob} blob @param {string} name @param {Choice} choice @param {AbortSignal} signal @returns {Promise<Clip>} */
  async predict(blob, name, choice, signal) {
    const path = `v1/predict?${query(choice)}&explain=true`;
    return (await this.#send(path, { method: "POST", body: form(blob, name), signal })).json();
  }

  /**
   * @param {Blob} blob @param {string} name @param {Choice} choice @param {AbortSignal} signal
   * @param {(event: any) => void} onEvent called with each "progress" and "window"
   * @returns {Promise<Timeline>}
   */
  async timeline(blob, name, choice, signal, onEvent) {
    const path = `v1/timeline?${query(choice)}`;
    const response = await this.#send(path, { method: "POST", body: form(blob, name), signal });
    for await (const event of lines(response)) {
      if (event.type === "timeline") return event;
      if (event.type === "error") throw new ApiError(event.status, event.error);
      onEvent(event);
    }
    throw new ApiError(0, "The server stopped in the middle of the recording. Try again.");
  }

  /** @param {number} rate Hz @param {Choice} choice @returns {WebSocket} */
  live(rate, choice) {
    const token = sessionStorage.getItem("token");
    const secret = token ? `&token=${encodeURIComponent(token)}` : "";
    const url = address(`v1/live?rate=${rate}&${query(choice)}${secret}`);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(url);
  }

  /** @param {string} path @param {RequestInit} init @returns {Promise<Response>} */
  async #send(path, init) {
    for (let again = false; ; again = true) {
      const response = await reach(path, init);
      if (response.ok) return response;
      const token = response.status === 401 ? await this.askToken(again) : null;
      if (token === null)
        throw new ApiError(response.status, response.status === 401 ? "" : await reason(response));
      sessionStorage.setItem("token", token);
    }
  }
}

/** @param {string} path @param {RequestInit} init @returns {Promise<Response>} */
async function reach(path, init) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
  try {
    return await fetch(address(path), { ...init, headers });
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    throw new ApiError(0, GONE);
  }
}

/** @param {Response} response @returns {Promise<string | undefined>} */
async function reason(response) {
  try {
    const { error } = await response.json();
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined; // a proxy's page, say
  }
}

/** @param {Response} response one JSON object a line */
async function* lines(response) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new ApiError(0, GONE);
    });
    const parts = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = done ? "" : String(parts.pop());
    for (const part of parts) if (part) yield JSON.parse(part);
    if (done) return;
  }
}

/** @param {Choice} choice @returns {string} */
function query({ model, emotions, source }) {
  const values = new URLSearchParams();
  if (model) values.set("model", model);
  if (emotions.length) values.set("emotions", emotions.join(","));
  if (source) values.set("source", source);
  return String(values);
}

/** @param {Blob} blob @param {string} name @returns {FormData} */
function form(blob, name) {
  const data = new FormData();
  data.set("file", blob, name);
  return data;
}
