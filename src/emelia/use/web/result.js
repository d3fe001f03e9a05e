// The result's half of the page: one answer, answers along time, or live.

import {
  amiss,
  element,
  judge,
  listSegments,
  markSegment,
  NO_SPEECH,
  say,
  sayClip,
  sayWhole,
  showBars,
  verdictText,
} from "./answer.js";
import { heard, paintClip, paintNothing, stretches } from "./clip.js";
import { Figure } from "./figure.js";
import { Player } from "./player.js";
import { peaks } from "./plot.js";
import { momentAt, paintCourse, segmentAt, toRuns } from "./timeline.js";
import { clock, list, stretch } from "./words.js";

/** @typedef {import("./timeline.js").Course} Course */

/** @type {[string, string, string]} */
const EMPTY = [
  "The answer appears here",
  "Record a sentence or two",
  "You will see which emotion the voice sounds like, how sure the model is, and which moments said so.",
];
const STALE = 3; // seconds after which a live answer is no longer one

export class Result {
  constructor() {
    this.play = /** @type {HTMLButtonElement} */ (element("play"));
    this.spotlight = /** @type {HTMLInputElement} */ (element("spotlight"));
    /** @type {Course | null} what is shown, if it is along time */
    this.course = null;
    /** @type {{start: number} | null} of a course whose summary is shown until somebody moves away */
    this.whole = null;
    this.seconds = 0;
    this.player = new Player(() => this.#moved());
    this.figure = new Figure(element("figure"), {
      seek: (seconds) => this.player.seek(seconds),
      play: () => this.player.playing || this.player.toggle(),
      toggle: () => this.player.toggle(),
    });
    this.play.addEventListener("click", () => this.player.toggle());
    this.spotlight.addEventListener("change", () => this.figure.draw());
  }

  /** Back to an empty page, of the same size. @param {string[]} labels */
  clear(labels) {
    this.#begin(null, 0);
    say(...EMPTY);
    showBars(labels, {});
    this.figure.show(paintNothing, { start: 0, end: 5 });
    element("caption").textContent = "";
    this.#moved();
  }

  /** Something was sent, and nothing has come yet. */
  wait() {
    say("Listening", "One moment", "");
  }

  /**
   * @param {import("./api.js").Clip} clip @param {string[]} labels
   * @param {import("./settings.js").Features} [features] of the model that answered
   */
  showClip(clip, labels, features) {
    this.#begin(null, clip.seconds);
    element("answer").ariaLive = "polite";
    sayClip(clip);
    showBars(labels, clip.probabilities, clip.unsure ? "" : clip.emotion);
    this.spotlight.disabled = !clip.saliency?.length;
    const span = { start: 0, end: Math.max(0.1, clip.seconds) };
    this.figure.show(
      (plot) => paintClip(plot, clip, features, this.spotlight.checked),
      span,
      "Position in the recording",
    );
    element("caption").textContent = amiss(clip, clip.emotion === NO_SPEECH ? "" : explanation(clip));
    this.#moved();
  }

  /** @param {import("./api.js").Timeline} timeline @param {string[]} labels */
  showTimeline(timeline, labels) {
    const { seconds, windows, segments, waveform } = timeline;
    const course = { peaks: waveform ? peaks(waveform) : null, runs: toRuns(windows), segments, labels };
    this.#begin(course, seconds);
    this.#draw({ start: 0, end: Math.max(0.1, seconds) }, "Position in the recording");
    listSegments(segments, (start) => this.player.playFrom(start));
    element("caption").textContent = amiss(timeline, "Each curve is the probability of an emotion along time.");
    const start = segments[0]?.start ?? 0;
    this.whole = { start };
    this.player.seek(start);
  }

  /** The part of a timeline that is there already. @param {Course} course @param {number} seconds of all */
  showPart(course, seconds) {
    if (this.course !== course) {
      this.#begin(course, seconds);
      say("Listening", "One moment", "The curves grow as the model goes through the recording.");
      showBars(course.labels, {});
      element("caption").textContent = "";
    }
    this.#draw({ start: 0, end: seconds });
  }

  /** @param {import("./live.js").Live} live @param {Record<string, number>} thresholds below which it is not sure, by emotion */
  showLive({ course, windows, span, seconds }, thresholds) {
    if (this.course !== course) {
      this.#begin(course, 0);
      element("caption").textContent =
        "The last half minute. Live sound is not kept, so it cannot be played again.";
    }
    const last = windows.at(-1);
    const verdict = last && last.end > seconds - STALE ? judge(last.probabilities, thresholds) : undefined;
    if (verdict) say("Now", ...verdictText(verdict));
    else say("Now", "Listening", "The answer follows the voice by about three seconds.");
    showBars(course.labels, verdict?.probabilities ?? {}, verdict?.unsure ? "" : verdict?.emotion);
    this.#draw(span);
  }

  /** @param {Course | null} course @param {number} seconds */
  #begin(course, seconds) {
    this.course = course;
    this.whole = null;
    this.seconds = seconds;
    this.spotlight.disabled = true;
    element("spotlight-label").hidden = course !== null;
    element("answer").ariaLive = "off"; // along time it would never be quiet
    listSegments([], () => {});
  }

  /** @param {import("./plot.js").Span} span @param {string} [name] */
  #draw(span, name) {
    const course = /** @type {Course} */ (this.course);
    this.figure.show((plot) => paintCourse(plot, course), span, name);
  }

  /** The player started, stopped or stands elsewhere. */
  #moved() {
    const { playable, playing, position } = this.player;
    this.play.disabled = !playable || !this.figure.seekable;
    this.play.textContent = playing ? "Pause" : "Play";
    const short = this.seconds < 60;
    element("clock").textContent = this.seconds
      ? `${clock(position, short)} / ${clock(this.seconds, short)}`
      : "";
    if (!this.figure.seekable) return;
    if (this.course) this.#sayMoment(this.course, position);
    else this.figure.move(position, clock(position, true));
  }

  /** @param {Course} course @param {number} position seconds */
  #sayMoment(course, position) {
    const still = !this.player.playing && Math.abs(position - (this.whole?.start ?? -1)) < 0.05;
    if (still) {
      sayWhole(course.segments, this.seconds, course.labels);
      this.figure.move(position, `${clock(position)}`);
      return;
    }
    this.whole = null;
    const segment = segmentAt(course, position);
    const [headline, detail] = verdictText(segment);
    const where = segment ? ` From ${stretch(segment)}.` : "";
    say(`At ${clock(position)}`, headline, detail + where);
    const probabilities = momentAt(course, position)?.probabilities ?? segment?.probabilities ?? {};
    showBars(course.labels, segment ? probabilities : {}, segment?.unsure ? "" : segment?.emotion, "Probability of each emotion at this moment");
    markSegment(segment ? course.segments.indexOf(segment) : -1);
    this.figure.move(position, `${clock(position)}, ${headline}`);
  }
}

/** @param {import("./api.js").Clip} clip @returns {string} how to read the figure */
function explanation(clip) {
  const bands = clip.logmel
    ? `Mel spectrogram of ${clip.logmel.bands} bands as the model sees it: dark is quiet, light is loud.${empty(clip)}`
    : "";
  const times = clip.saliency
    ? stretches(clip.saliency, clip.hop).map(({ start, end }) => ((start + end) / 2).toFixed(1))
    : [];
  const where = times.length > 6 ? `in ${times.length} places` : `around ${list(times)} s`;
  return times.length
    ? `${bands} What spoke most for ${clip.emotion} is underlined, ${where}; the rest is faded.`
    : bands;
}

/** @param {import("./api.js").Clip} clip @returns {string} what stands where nothing was heard */
function empty(clip) {
  return heard(clip).includes(false) ? " It did not hear what is left empty: no speech was found there." : "";
}
