// Runs on the audio thread: gathers the microphone into mono blocks and posts them.

class Blocks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(Math.round(sampleRate / 20)); // 50 ms
    this.filled = 0;
    this.ended = false;
    this.port.onmessage = () => {
      this.port.postMessage(this.block.slice(0, this.filled));
      this.port.postMessage(null); // nothing comes after it
      this.ended = true;
    };
  }

  /** @param {Float32Array[][]} inputs */
  process([channels]) {
    for (let i = 0; i < (channels[0]?.length ?? 0); i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled] = sum / channels.length;
      this.filled += 1;
      if (this.filled === this.block.length) {
        this.port.postMessage(this.block.slice());
        this.filled = 0;
      }
    }
    return !this.ended;
  }
}

registerProcessor("blocks", Blocks);
