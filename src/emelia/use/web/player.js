// Plays what was analysed, where the browser can.

export class Player {
  /** @param {() => void} onChange called when it starts, stops, moves or fails */
  constructor(onChange) {
    this.onChange = onChange;
    this.audio = new Audio();
    this.playable = false;
    this.position = 0; // seconds; kept here too, for what cannot be played can be looked through
    for (const name of ["play", "pause", "ended", "seeked"])
      this.audio.addEventListener(name, () => this.#follow());
  }

  /** @returns {boolean} */
  get playing() {
    return this.playable && !this.audio.paused && !this.audio.ended;
  }

  /**
   * Take another recording.
   * @param {Blob | null} blob
   * @returns {Promise<number | null>} its seconds; null where the browser cannot tell
   */
  async load(blob) {
    this.audio.pause();
    if (this.audio.src) URL.revokeObjectURL(this.audio.src);
    this.playable = false;
    this.position = 0;
    if (!blob) {
      this.audio.removeAttribute("src");
      this.audio.load();
      return null;
    }
    this.audio.src = URL.createObjectURL(blob);
    this.playable = await new Promise((resolve) => {
      this.audio.onloadedmetadata = () => resolve(true);
      this.audio.onerror = () => resolve(false);
    });
    return this.playable && Number.isFinite(this.audio.duration) ? this.audio.duration : null;
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.position = seconds;
    if (this.playable) this.audio.currentTime = seconds;
    this.onChange();
  }

  async toggle() {
    if (!this.playable) return;
    if (this.playing) this.audio.pause();
    else await this.audio.play().catch(() => this.onChange()); // the browser wants a click first
  }

  /** @param {number} seconds */
  playFrom(seconds) {
    this.seek(seconds);
    if (!this.playing) this.toggle();
  }

  #follow() {
    this.position = this.audio.currentTime;
    this.onChange();
    if (this.playing && !this.following) {
      this.following = requestAnimationFrame(() => {
        this.following = 0;
        this.#follow();
      });
    }
  }
}
