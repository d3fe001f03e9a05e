// The answer in words, the probabilities as bars, the segments as buttons.

import { colourName } from "./plot.js";
import { capital, duration, list, percent, ranked, speechIn, stretch } from "./words.js";

/** @typedef {{emotion: string, confidence: number, unsure: boolean, probabilities: import("./api.js").Probabilities}} Verdict */

export const NO_SPEECH = "no speech";

/** @param {string} id @returns {HTMLElement} */
export const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {string} tag @param {string} [className] @param {string} [text]
 * @returns {HTMLElement}
 */
export function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** @param {string} kicker @param {string} headline @param {string} detail @param {string} [facts] */
export function say(kicker, headline, detail, facts = "") {
  const texts = { kicker, headline, detail, facts };
  // What stays as it is must not be read out again.
  for (const [id, text] of Object.entries(texts))
    if (element(id).textContent !== text) element(id).textContent = text;
}

/**
 * What to call an answer, and how sure it is.
 * @param {Verdict | undefined} verdict none: nothing was said there
 * @returns {[string, string]} headline and detail
 */
export function verdictText(verdict) {
  if (!verdict || verdict.emotion === NO_SPEECH) return ["No speech", ""];
  const { emotion, confidence, unsure } = verdict;
  const next = ranked(verdict.probabilities).find(([label]) => label !== emotion);
  const other = next ? `; ${next[0]} comes next with ${percent(next[1])}` : "";
  if (unsure) return ["Not sure", `Perhaps ${emotion}, with ${percent(confidence)}${other}.`];
  return [capital(emotion), `The model gives it ${percent(confidence)}${other}.`];
}

/**
 * @param {import("./api.js").Probabilities} probabilities @param {Record<string, number>} thresholds
 * @returns {Verdict}
 */
export function judge(probabilities, thresholds) {
  const [emotion, confidence] = ranked(probabilities)[0];
  return { emotion, confidence, unsure: confidence < (thresholds[emotion] ?? 0), probabilities };
}

/** @param {import("./api.js").Clip} clip */
export function sayClip(clip) {
  const [headline, detail] = verdictText(clip);
  if (clip.emotion === NO_SPEECH) {
    say(
      "In this recording",
      headline,
      `Nothing in these ${duration(clip.seconds)} sounds like a voice. Record again closer to the microphone, or choose another file.`,
    );
  } else {
    say(
      clip.unsure ? "About this recording the model is" : "This recording sounds like",
      headline,
      detail,
      `${speechIn(clip.speech, clip.seconds)}, heard by the model “${clip.model}”.`,
    );
  }
}

/**
 * What was amiss with a recording, such as that only a part of it could be read, before other text.
 * @param {{warnings?: string[]}} answer @param {string} text
 * @returns {string}
 */
export function amiss({ warnings = [] }, text) {
  return [...warnings.map(capital), text].filter(Boolean).join(" ");
}

const NOT_SURE = "not sure";

/**
 * Say what a long recording comes to, and show how much of its speech each answer takes.
 * @param {import("./api.js").Segment[]} segments @param {number} seconds @param {string[]} labels
 */
export function sayWhole(segments, seconds, labels) {
  const { spoken, shares } = sharesOf(segments);
  if (!spoken) {
    say("In this recording", "No speech", `Nothing in these ${duration(seconds)} sounds like a voice.`);
    showBars(labels, {});
    return;
  }
  const { [NOT_SURE]: doubt = 0, ...sure } = shares;
  const [top, share] = doubt > 0.5 ? [NOT_SURE, doubt] : (ranked(sure)[0] ?? [NOT_SURE, doubt]);
  const headline = `${share > 0.5 ? "Mostly" : "Most often"} ${top}`;
  const parts = ranked(shares).map(([name, own]) => `${name} ${percent(own)}`);
  say(
    "In this recording",
    headline,
    `${speechIn(spoken, seconds)}: ${list(parts)}.`,
    "Play it, or press a moment of the curve, to see the answer there.",
  );
  showBars(labels, sure, top, "Share of the speech in which each emotion is the answer");
}

/**
 * @param {import("./api.js").Segment[]} segments
 * @returns {{spoken: number, shares: Record<string, number>}} seconds of speech, and of each answer its share
 */
function sharesOf(segments) {
  /** @type {Record<string, number>} */
  const shares = {};
  const spoken = segments.reduce((sum, { start, end }) => sum + end - start, 0);
  for (const { start, end, emotion, unsure } of segments) {
    const name = unsure ? NOT_SURE : emotion;
    shares[name] = (shares[name] ?? 0) + (end - start) / spoken;
  }
  return { spoken, shares };
}

/**
 * @param {string[]} labels @param {import("./api.js").Probabilities} probabilities @param {string} [top] the answer
 * @param {string} [title] what the bars show
 */
export function showBars(labels, probabilities, top = "", title = "Probability of each emotion") {
  element("bars-title").textContent = title;
  const bars = element("bars");
  if (bars.dataset.labels !== labels.join()) {
    bars.dataset.labels = labels.join();
    bars.replaceChildren(...labels.map(makeBar));
  }
  const thresholds = JSON.parse(bars.dataset.thresholds ?? "{}");
  labels.forEach((label, i) => {
    const row = /** @type {HTMLElement} */ (bars.children[i]);
    if (label in thresholds) row.style.setProperty("--threshold", String(thresholds[label]));
    const known = label in probabilities;
    const fill = /** @type {HTMLElement} */ (row.querySelector(".fill"));
    fill.style.transform = `scaleX(${probabilities[label] ?? 0})`;
    /** @type {HTMLElement} */ (row.querySelector(".value")).textContent = known
      ? percent(probabilities[label])
      : "–";
    row.classList.toggle("top", known && label === top);
    row.classList.toggle("absent", !known);
  });
}

/** @param {string} label @returns {HTMLElement} */
function makeBar(label) {
  const row = make("li");
  const track = make("span", "track");
  const fill = make("span", "fill");
  fill.style.background = `var(${colourName(label)})`;
  track.append(fill);
  track.ariaHidden = "true";
  row.append(make("span", "name", label), track, make("span", "value"));
  return row;
}

/** @param {import("./api.js").Segment[]} segments @param {(start: number) => void} play */
export function listSegments(segments, play) {
  const items = segments.map((segment) => {
    const item = make("li", segment.unsure ? "unsure" : "");
    const button = /** @type {HTMLButtonElement} */ (make("button"));
    button.type = "button";
    const key = make("span", "key");
    key.style.background = `var(${colourName(segment.emotion)})`;
    const name = segment.unsure ? "not sure" : segment.emotion;
    button.append(
      key,
      `${stretch(segment)}  ${name}${segment.unsure ? "" : ` ${percent(segment.confidence)}`}`,
    );
    button.addEventListener("click", () => play(segment.start));
    item.append(button);
    return item;
  });
  element("segments").replaceChildren(...items);
  element("segments").hidden = items.length === 0;
}

/** @param {number} index of the segment being played; -1 for none */
export function markSegment(index) {
  [...element("segments").querySelectorAll("button")].forEach((button, i) => {
    if (i === index) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
}
