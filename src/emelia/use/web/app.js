// What a person can do here: record, choose a file, listen live, look again, save.

import { element } from "./answer.js";
import { Api } from "./api.js";
import { level, Microphone, wav } from "./audio.js";
import { Live } from "./live.js";
import * as panel from "./panel.js";
import { Result } from "./result.js";
import { Settings } from "./settings.js";
import { toRuns } from "./timeline.js";
import { clock, percent, stretch } from "./words.js";

const LONG = 30; // seconds from which a recording is shown along time
const MOST = 600; // seconds of one recording

/** @typedef {{blob: Blob, name: string}} Source */

class App {
  constructor() {
    this.api = new Api(panel.askToken);
    this.result = new Result();
    this.settings = new Settings(() => (this.source ? this.analyse() : this.clear()));
    /** @type {Source | null} what was recorded or chosen last */
    this.source = null;
    /** @type {object | null} what "Save as JSON" saves */
    this.answer = null;
    /** @type {AbortController | null} of the request that runs */
    this.request = null;
    /** @type {(() => void) | null} ends the recording or the live session that runs */
    this.stop = null;
  }

  async start() {
    this.#listen();
    this.clear();
    await this.attempt(() => this.prepare());
  }

  /** Learn which models there are, if that is not known yet. */
  async prepare() {
    if (this.settings.model) return;
    this.settings.show(await this.api.models());
    this.clear();
  }

  #listen() {
    const { button } = panel;
    button("record").addEventListener("click", () =>
      this.stop ? this.stop() : this.attempt(() => this.record()),
    );
    button("live").addEventListener("click", () =>
      this.stop ? this.stop() : this.attempt(() => this.live()),
    );
    button("card").addEventListener("click", () => this.attempt(() => this.showCard()));
    button("try").addEventListener("click", () => this.stop || this.attempt(() => this.tryClip()));
    const file = /** @type {HTMLInputElement} */ (element("file"));
    button("choose").addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      if (file.files?.[0]) this.take(file.files[0], file.files[0].name);
      file.value = ""; // so that the same file can be chosen again
    });
    button("cancel").addEventListener("click", () => {
      this.request?.abort();
      this.clear();
      panel.tell("Cancelled.");
    });
    button("download").addEventListener("click", () => this.save());
    element("views").addEventListener("change", () => this.analyse());
    panel.onDrop((file) => this.stop || this.take(file, file.name));
  }

  /** Do something, and say what goes wrong. @param {() => Promise<void>} work */
  async attempt(work) {
    panel.tell("");
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error.name === "AbortError") return; // something newer runs
      this.#run(null);
      panel.complain(error.message.replace(/^Upload(?=:)/, (word) => this.source?.name ?? word));
      this.clear();
    }
  }

  /** An empty result. */
  clear() {
    this.#keep(null);
    this.result.clear(this.settings.labels);
  }

  /** Make room for sound from the microphone. @param {"record" | "live"} what */
  async #open(what) {
    this.request?.abort();
    this.source = null;
    this.clear();
    await this.result.player.load(null);
    this.#run(what, () => {}); // it cannot be stopped before it has begun
    panel.tell("Waiting for the microphone …");
  }

  async record() {
    await this.#open("record");
    const microphone = await Microphone.open();
    /** @type {Float32Array[]} */
    const blocks = [];
    const most = Math.min(MOST, this.settings.mostBytes / (2 * microphone.rate) - 1);
    let seconds = 0;
    const stop = () =>
      this.attempt(async () => {
        this.#run(null);
        await microphone.close();
        const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
        if (blocks.length) await this.take(wav(blocks, microphone.rate), `Recording ${time}.wav`);
      });
    this.#run("record", stop);
    panel.tell("Recording. Speak, then press Stop.");
    await microphone.start((block) => {
      blocks.push(block);
      seconds += block.length / microphone.rate;
      panel.showLevel(level(block));
      if (this.stop !== stop) return; // the last block
      panel.rename("record", `Stop  ${clock(seconds)}`);
      if (seconds >= most) stop();
    }, stop);
  }

  async live() {
    await this.#open("live");
    await this.prepare();
    const { settings, result } = this;
    const session = await Live.start(this.api, settings.choice, settings.labels, {
      level: panel.showLevel,
      course: () => result.showLive(session, settings.thresholds),
      segment: ({ start, end, emotion, confidence, unsure }) =>
        panel.tell(
          `${stretch({ start, end })}: ${unsure ? "not sure" : `${emotion}, ${percent(confidence)}`}`,
        ),
      end: (problem) => {
        this.#run(null);
        const { course, windows, seconds } = session;
        const { adapted } = session;
        this.#keep({ live: true, seconds, windows, segments: course.segments, adapted });
        if (problem) panel.complain(problem);
        else if (settings.choice.source) panel.tell(this.#used(adapted).trim());
      },
    });
    this.#run("live", () => {
      panel.tell("Waiting for the last answers …");
      session.stop();
    });
    result.showLive(session, 0);
    panel.tell("Live: what the microphone hears goes to the server as you speak.");
  }

  async showCard() {
    element("card-text").textContent = await this.api.card(this.settings.select.value);
    /** @type {HTMLDialogElement} */ (element("card-dialog")).showModal();
  }

  /** Take the synthetic clip that comes with the page. */
  async tryClip() {
    const answer = await fetch("clip.flac");
    await this.take(await answer.blob(), "A synthetic voice acting fear");
  }

  /** @param {Blob} blob @param {string} name */
  async take(blob, name) {
    this.request?.abort();
    const source = { blob, name };
    this.source = source;
    this.clear();
    panel.tell("");
    if (blob.size > this.settings.mostBytes)
      return panel.complain(tooLarge(blob.size, this.settings.mostBytes));
    const seconds = await this.result.player.load(blob);
    if (this.source !== source) return;
    this.result.wait();
    await this.analyse(seconds && seconds > LONG ? "timeline" : "clip");
    if (this.answer && innerWidth < 960) element("result").scrollIntoView({ block: "start" });
  }

  /** Ask the server. @param {"clip" | "timeline"} view one answer, or answers along time */
  async analyse(view = chosenView()) {
    const source = this.source;
    if (!source) return;
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    /** @type {HTMLInputElement} */ (element("views").querySelector(`[value=${view}]`)).checked = true;
    await this.attempt(async () => {
      panel.tell(`Analysing ${source.name} …`);
      panel.showWaiting(true);
      await this.prepare();
      const ask = view === "clip" ? this.#askClip : this.#askTimeline;
      const { adapted } = await ask.call(this, source, request.signal);
      const silent = this.result.player.playable ? "" : " This browser cannot play it.";
      panel.tell(`${source.name} is analysed.${silent}${this.#used(adapted)}`);
    });
    if (this.request === request) panel.showWaiting(false);
  }

  /** @param {Source} source @param {AbortSignal} signal */
  async #askClip({ blob, name }, signal) {
    const { choice, labels, model } = this.settings;
    const clip = await this.api.predict(blob, name, choice, signal);
    this.result.showClip(clip, labels, model?.features);
    const { logmel: _, waveform: __, ...answer } = clip; // pictures
    this.#keep({ file: name, ...answer });
    return answer;
  }

  /** @param {number} [adapted] clips @returns {string} how far answers are used to the voice */
  #used(adapted) {
    if (!this.settings.choice.source) return "";
    return adapted
      ? ` Used to this voice from ${adapted} clips.`
      : " Not used to this voice yet: that takes three recordings, or ten seconds of speech along time.";
  }

  /** @param {Source} source @param {AbortSignal} signal */
  async #askTimeline({ blob, name }, signal) {
    const { choice, labels } = this.settings;
    /** @type {import("./timeline.js").Course} */
    const part = { peaks: null, runs: [], segments: [], labels };
    /** @type {import("./api.js").Window[]} */
    const windows = [];
    const timeline = await this.api.timeline(blob, name, choice, signal, (event) => {
      if (event.type === "window") windows.push(event);
      if (event.type !== "progress" || !event.total) return;
      part.runs = toRuns(windows);
      panel.showProgress(event.done, event.total);
      this.result.showPart(part, event.total);
    });
    this.result.showTimeline(timeline, labels);
    const { waveform: _, ...answer } = timeline;
    this.#keep({ file: name, ...answer });
    return answer;
  }

  /** @param {"record" | "live" | null} what @param {(() => void) | null} stop */
  #run(what, stop = null) {
    this.stop = stop;
    panel.showRunning(what);
  }

  /** @param {object | null} answer what can be saved now */
  #keep(answer) {
    this.answer = answer;
    panel.button("download").disabled = !answer;
    panel.button("views").disabled = !this.source;
  }

  save() {
    const name = this.source?.name.replace(/\.[^.]*$/, "") ?? "live";
    if (this.answer) panel.download(`${name}.emelia.json`, this.answer);
  }
}

/** @param {number} bytes @param {number} most @returns {string} */
function tooLarge(bytes, most) {
  const [has, takes] = [bytes, most].map((count) => (count / 1e6).toFixed(1));
  return `The file has ${has} MB; this server takes ${takes} MB. Cut it, or compress it (FLAC, Opus, MP3).`;
}

/** @returns {"clip" | "timeline"} */
function chosenView() {
  return /** @type {any} */ (element("views").querySelector("input:checked")).value;
}

new App().start();
