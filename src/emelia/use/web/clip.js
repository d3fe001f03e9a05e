// One answer: waveform, what mattered, and the spectrogram as the model saw it.

import { peaks } from "./plot.js";

// Magma at 17 even steps, as in reports: even to the eye, and read alike with any colour vision.
const MAGMA =
  "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf"
    .split(" ")
    .map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
const WAVE = 64; // pixels
const STRIP = 56;
const GAP = 10;

/**
 * @param {import("./plot.js").Plot} plot
 * @param {import("./api.js").Clip} clip
 * @param {import("./settings.js").Features | undefined} features
 * @param {boolean} spotlight veil what mattered less
 */
export function paintClip(plot, clip, features, spotlight) {
  if (clip.waveform) plot.waveform(peaks(clip.waveform), 0, WAVE);
  if (!plot.narrow) plot.text("wave", plot.left - 8, WAVE / 2, { align: "right" });
  const mattered = clip.saliency?.length ? clip.saliency : null;
  const top = WAVE + GAP + (mattered ? STRIP + GAP : 0);
  if (mattered) paintStrip(plot, mattered, clip.hop, WAVE + GAP);
  if (clip.logmel?.frames) {
    paintSpectrogram(plot, clip.logmel, heard(clip), clip.hop, top);
    if (mattered && spotlight) veil(plot, mattered, clip.hop, top);
    paintBands(plot, bands(clip.logmel.bands, features), top);
  }
  plot.timeAxis();
}

/** The same places with nothing in them. @param {import("./plot.js").Plot} plot */
export function paintNothing(plot) {
  plot.rule(WAVE / 2);
  plot.rule(WAVE + GAP + STRIP / 2);
  const top = WAVE + GAP + STRIP + GAP;
  plot.ctx.fillStyle = plot.colour("--track");
  plot.ctx.fillRect(plot.left, top, plot.right - plot.left, plot.bottom - top);
  if (!plot.narrow) plot.text("wave", plot.left - 8, WAVE / 2, { align: "right" });
  if (!plot.narrow) plot.text("mel bands", plot.left - 8, (top + plot.bottom) / 2, { align: "right" });
  plot.timeAxis();
}

/**
 * Saliency as two areas: up for what spoke for the answer, down for what spoke against it.
 * @param {import("./plot.js").Plot} plot @param {number[]} saliency @param {number} hop @param {number} top
 */
function paintStrip(plot, saliency, hop, top) {
  const { ctx } = plot;
  const middle = top + STRIP / 2;
  const scale = STRIP / 2 / strongest(saliency);
  for (const [sign, colour] of /** @type {[number, string][]} */ ([
    [1, "--accent"],
    [-1, "--edge"],
  ])) {
    plot.clip(sign > 0 ? top : middle, STRIP / 2);
    ctx.beginPath();
    ctx.moveTo(plot.x(0), middle);
    saliency.forEach((value, i) => ctx.lineTo(plot.x(i * hop), middle - value * scale));
    ctx.lineTo(plot.x((saliency.length - 1) * hop), middle);
    ctx.fillStyle = plot.colour(colour);
    ctx.fill();
    ctx.restore();
  }
  plot.rule(middle);
  plot.text("for", plot.left - 8, middle - STRIP / 4, { align: "right", colour: "--accent", bold: true });
  plot.text(plot.narrow ? "not" : "against", plot.left - 8, middle + STRIP / 4, { align: "right" });
}

/**
 * @param {import("./plot.js").Plot} plot @param {import("./api.js").LogMel} mel
 * @param {boolean[]} frames which of them were heard @param {number} hop @param {number} top
 */
function paintSpectrogram(plot, mel, frames, hop, top) {
  const image = new OffscreenCanvas(mel.frames, mel.bands);
  /** @type {OffscreenCanvasRenderingContext2D} */ (image.getContext("2d")).putImageData(pixels(mel, frames), 0, 0);
  plot.clip(top, plot.bottom - top);
  plot.ctx.imageSmoothingQuality = "high";
  const left = plot.x(-hop / 2); // a frame is centred on its time
  plot.ctx.drawImage(image, left, top, plot.x((mel.frames - 0.5) * hop) - left, plot.bottom - top);
  plot.ctx.restore();
}

/**
 * The frames that the model heard: what it left out is lowest in every band and says nothing.
 * @param {import("./api.js").Clip} clip @returns {boolean[]}
 */
export function heard({ logmel, saliency }) {
  const bytes = logmel ? greys(logmel) : [];
  const found = Array.from({ length: logmel?.frames ?? 0 }, (_, i) => Boolean(saliency?.[i]));
  bytes.forEach((value, i) => {
    if (value) found[i % found.length] = true;
  });
  return found;
}

/** @param {import("./api.js").LogMel} mel @returns {Uint8Array} band after band, the lowest first */
function greys({ data }) {
  return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
}

/**
 * @param {import("./api.js").LogMel} mel @param {boolean[]} shown which frames are not left empty
 * @returns {ImageData} the highest band in the first row
 */
function pixels(mel, shown) {
  const { bands, frames } = mel;
  const bytes = greys(mel);
  const colours = Array.from({ length: 256 }, (_, value) => magma(value / 255));
  const image = new ImageData(frames, bands);
  for (let i = 0; i < bytes.length; i += 1) {
    const row = bands - 1 - Math.floor(i / frames);
    if (shown[i % frames]) image.data.set(colours[bytes[i]], 4 * (row * frames + (i % frames)));
  }
  return image;
}

/** @param {number} share 0 to 1 @returns {number[]} red, green, blue, opacity; 0 to 255 */
function magma(share) {
  const place = share * (MAGMA.length - 1);
  const below = Math.min(Math.floor(place), MAGMA.length - 2);
  const rest = place - below;
  return [...MAGMA[below].map((c, i) => c + rest * (MAGMA[below + 1][i] - c)), 255];
}

/**
 * Veil the spectrogram but for the stretches that spoke most for the answer, and underline those.
 * @param {import("./plot.js").Plot} plot @param {number[]} saliency @param {number} hop @param {number} top
 */
function veil(plot, saliency, hop, top) {
  const { ctx } = plot;
  const height = plot.bottom - top;
  plot.clip(top - GAP, height + GAP);
  let from = plot.left;
  for (const { start, end } of [...stretches(saliency, hop), { start: Infinity, end: Infinity }]) {
    const to = Math.min(plot.x(start), plot.right);
    ctx.globalAlpha = 0.6;
    ctx.fillStyle = plot.colour("--card");
    ctx.fillRect(from, top, to - from, height);
    from = Math.min(plot.x(end), plot.right);
    ctx.globalAlpha = 1;
    ctx.fillStyle = plot.colour("--accent");
    ctx.fillRect(to, top - 6, from - to, 4);
  }
  ctx.restore();
}

/** @param {import("./plot.js").Plot} plot @param {[number, string][]} ticks @param {number} top */
function paintBands(plot, ticks, top) {
  for (const [share, name] of ticks) {
    const y = plot.bottom - share * (plot.bottom - top);
    plot.ctx.fillStyle = plot.colour("--edge");
    plot.ctx.fillRect(plot.left - 4, y - 0.5, 4, 1);
    plot.text(name, plot.left - 7, Math.max(y, top + 6), { align: "right" });
  }
}

/**
 * Where to write what beside a spectrogram: frequencies where they are known, else bands.
 * @param {number} count of bands @param {import("./settings.js").Features} [features]
 * @returns {[number, string][]} places from 0, below, to 1
 */
function bands(count, features) {
  if (features?.kind !== "logmel")
    return [0, 0.25, 0.5, 0.75, 1].map((share) => [share, String(Math.round(share * count))]);
  const [low, high] = [mel(features.fmin), mel(features.fmax)];
  const kept = [0, 0.5, 1, 2, 4, 8].filter(
    (khz) => 1000 * khz >= features.fmin && 1000 * khz <= features.fmax,
  );
  return kept.map((khz, i) => [
    (mel(1000 * khz) - low) / (high - low),
    i === kept.length - 1 ? `${khz} kHz` : String(khz),
  ]);
}

/** @param {number} hertz @returns {number} on Slaney's mel scale, that of the front end */
function mel(hertz) {
  return hertz < 1000 ? (3 * hertz) / 200 : 15 + (27 * Math.log(hertz / 1000)) / Math.log(6.4);
}

/** @param {number[]} saliency @returns {number} */
function strongest(saliency) {
  return Math.max(1e-9, ...saliency.map(Math.abs));
}

/**
 * The stretches that spoke most for the answer: where saliency, smoothed a little, is at least
 * half of its highest.
 * @param {number[]} saliency @param {number} hop seconds
 * @returns {import("./plot.js").Span[]}
 */
export function stretches(saliency, hop) {
  const smooth = blur(blur(saliency, hop), hop);
  const enough = Math.max(1e-9, ...smooth) / 2;
  /** @type {import("./plot.js").Span[]} */
  const found = [];
  smooth.forEach((value, i) => {
    if (value < enough) return;
    const last = found[found.length - 1];
    const start = Math.max(0, (i - 0.5) * hop);
    if (last && start <= last.end + 1e-6) last.end = (i + 0.5) * hop;
    else found.push({ start, end: (i + 0.5) * hop });
  });
  return found;
}

/** @param {number[]} values @param {number} hop seconds @returns {number[]} means over 0.1 s */
function blur(values, hop) {
  const reach = Math.max(1, Math.round(0.05 / hop));
  return values.map((_, i) => {
    const near = values.slice(Math.max(0, i - reach), i + reach + 1);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}
