// Which model answers, and among which emotions.

import { element, make } from "./answer.js";
import { list, percent } from "./words.js";

/**
 * @typedef {{kind: string, fmin: number, fmax: number}} Features the last two in Hz
 * @typedef {{clips: number, accuracy: [number, number, number]}} Figures share right, its interval
 * @typedef {{name: string, title: string, emotions: string[], licence: string, threshold: number,
 *   thresholds: Record<string, number>, corpora: {title: string, language: string}[], features?: Features, for_strangers?: boolean,
 *   adaptable?: boolean, metrics?: {unseen?: Figures, validation?: Figures, test?: Figures}}} Model
 * @typedef {{max_mb: number}} Limits
 */

export class Settings {
  /** @param {() => void} onChange */
  constructor(onChange) {
    /** @type {Model[]} */
    this.models = [];
    this.mostBytes = Infinity; // of one recording
    /** @type {string} what the voice is called that answers get used to; empty: none */
    this.source = "";
    this.used = /** @type {HTMLInputElement} */ (element("used"));
    this.used.addEventListener("change", () => {
      this.source = this.used.checked ? newName() : "";
      element("used-hint").hidden = !this.used.checked;
      onChange();
    });
    this.select = /** @type {HTMLSelectElement} */ (element("model"));
    this.boxes = /** @type {HTMLElement} */ (element("emotions").querySelector("div"));
    this.select.addEventListener("change", () => {
      this.#showModel();
      onChange();
    });
    this.boxes.addEventListener("change", () => {
      this.#keepTwo();
      onChange();
    });
  }

  /** @param {{models: Model[], limits: Limits}} server */
  show({ models, limits }) {
    this.models = models;
    this.mostBytes = 1e6 * limits.max_mb;
    this.select.replaceChildren(...models.map(({ name }) => new Option(name, name)));
    this.#showModel();
  }

  /** @returns {import("./api.js").Choice} */
  get choice() {
    const chosen = this.labels;
    const all = chosen.length === (this.model?.emotions.length ?? 0);
    const source = this.model?.adaptable ? this.source : "";
    return { model: this.select.value, emotions: all ? [] : chosen, source };
  }

  /** @returns {string[]} the emotions an answer may have, in the model's order */
  get labels() {
    return this.#inputs()
      .filter((box) => box.checked)
      .map((box) => box.value);
  }

  /** @returns {Model | undefined} */
  get model() {
    return this.models.find(({ name }) => name === this.select.value);
  }

  /** @returns {Record<string, number>} confidence below which the model is not sure, by emotion */
  get thresholds() {
    return this.model?.thresholds ?? {};
  }

  #inputs() {
    return [...this.boxes.querySelectorAll("input")];
  }

  #showModel() {
    if (!this.model) return;
    const { name, title, emotions, licence, corpora, threshold, thresholds, adaptable } = this.model;
    element("used-label").hidden = !adaptable;
    element("used-hint").hidden = !(adaptable && this.used.checked);
    this.boxes.replaceChildren(...emotions.map(makeBox));
    const speech = corpora.map((corpus) => `${corpus.title} (${corpus.language})`);
    const terms = (licence || "not known").replace(/\.$/, "");
    element("figures").textContent = `${title}. Learnt from ${list(speech)}. Licence: ${terms}.`;
    element("often").textContent = often(this.model);
    const higher = emotions.filter((label) => thresholds[label] > threshold);
    element("threshold").textContent =
      `The line across each bar is at ${percent(threshold)}${higher.length ? ", and higher for " + list(higher) : ""}: ` +
      "an answer below it is “not sure”.";
    element("bars").style.setProperty("--threshold", String(threshold));
    element("bars").dataset.thresholds = JSON.stringify(thresholds);
    element("licence").textContent = `Licence of the model “${name}”: ${terms.split(":")[0]}.`;
  }

  /** A choice needs two to choose from: lock the last two. */
  #keepTwo() {
    const few = this.labels.length <= 2;
    for (const box of this.#inputs()) box.disabled = few && box.checked;
  }
}

/**
 * How often a model is right on recordings like one's own, in words.
 * @param {Model} model @returns {string}
 */
function often({ for_strangers, metrics, emotions }) {
  const figures = for_strangers ? metrics?.unseen ?? metrics?.validation : metrics?.test;
  if (!figures?.accuracy) return "How often it is right on recordings like yours is not known.";
  const [share, low, high] = figures.accuracy;
  const right = `it is right ${percent(share)} of the time (${percent(low)} to ${percent(high)})`;
  const guess = `Guessing would reach ${percent(1 / emotions.length)}.`;
  return for_strangers
    ? `On acted speech of corpora it never heard, as yours is, ${right}. ${guess}`
    : `On new speakers of the corpus it learnt from, ${right}; on recordings like yours that is not known. ${guess}`;
}

/** @returns {string} a name that no other page has; a source that was switched off is never found again */
function newName() {
  const digits = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(digits, (digit) => digit.toString(16).padStart(2, "0")).join("");
}

/** @param {string} label @returns {HTMLElement} */
function makeBox(label) {
  const line = make("label", "check");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = label;
  box.checked = true;
  line.append(box, label);
  return line;
}
