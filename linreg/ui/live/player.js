/** Plays a stage: its step moves with time. */

const SECONDS = 8; // of a whole replay at speed 1
const LONGEST_FRAME = 0.1; // seconds; what a window in the background misses is not made up for
const STILLS = 8; // of a whole replay where the visitor asks for less motion

export class Player {
  constructor(stage) {
    this.stage = stage;
    this.speed = 1;
    this.plain = false;
    this.isPlaying = false;
    for (const event of ["runs", "taken"]) stage.addEventListener(event, () => this.stop());
  }

  /** Play on, from the beginning where the end is shown. */
  play() {
    const { stage } = this;
    this.clock = stage.clock(this.plain);
    if (stage.at >= stage.last) stage.go(0);
    this.time = this.clock.timeOf(stage.at);
    this.set(true);
    this.before = undefined;
    const isReduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (isReduced) this.nextStill();
    else this.request = requestAnimationFrame((now) => this.frame(now));
  }

  /** Stop, without a word to Python. */
  stop() {
    if (!this.isPlaying) return;
    cancelAnimationFrame(this.request);
    clearTimeout(this.timeout);
    this.set(false);
  }

  /** Stop, and tell Python the step that is shown. */
  pause() {
    this.stop();
    this.stage.tell();
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  /** Whether equal times are equal numbers of steps. */
  setPlain(plain) {
    this.plain = plain;
    if (!this.isPlaying) return;
    this.clock = this.stage.clock(plain);
    this.time = this.clock.timeOf(this.stage.at);
  }

  set(isPlaying) {
    this.isPlaying = isPlaying;
    this.stage.isPlaying = isPlaying;
    this.stage.dispatchEvent(new Event("play"));
  }

  frame(now) {
    const passed = Math.min((now - (this.before ?? now)) / 1000, LONGEST_FRAME);
    this.before = now;
    if (this.forward((passed * this.speed) / SECONDS)) {
      this.request = requestAnimationFrame((later) => this.frame(later));
    }
  }

  /** Few still pictures instead of motion. */
  nextStill() {
    const wait = (1000 * SECONDS) / STILLS / this.speed;
    this.timeout = setTimeout(() => {
      if (this.forward(1 / STILLS)) this.nextStill();
    }, wait);
  }

  /** The last step up to this one of which a record is here: that of the figures. */
  recorded(step) {
    const runs = this.stage.trained ?? this.stage.runs;
    const longest = runs.reduce((most, run) => (run.last > (most?.last ?? -1) ? run : most), null);
    return longest ? longest.steps[longest.rowAt(step)] : step;
  }

  /** Show what comes so much later, from 0 to 1. Whether there is more to come. */
  forward(share) {
    this.time += share;
    const step = this.time >= 1 ? this.stage.last : this.recorded(this.clock.stepAt(this.time));
    if (step !== this.stage.at) this.stage.go(step);
    if (this.time < 1) return true;
    this.pause();
    return false;
  }
}
