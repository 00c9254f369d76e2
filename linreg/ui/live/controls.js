/** The controls of the replay: play, the step, the speed, and what time follows. */

import { count } from "./numbers.js";
import { Player } from "./player.js";

const SPEEDS = [0.5, 1, 2, 4];
const QUIET = 300; // milliseconds without a key until Python is told
const FAR = 10; // frames of Page Up, Page Down and with Shift

export class Controls {
  constructor(parent, stage) {
    this.stage = stage;
    stage.telling.begin();
    this.player = new Player(stage);
    this.element = document.createElement("div");
    this.element.className = "live-controls";
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", "Replay");
    this.element.innerHTML = `
      <button type="button" class="live-play">Play</button>
      <div class="live-step">
        <span class="live-label">Replay: step <output></output></span>
        <input type="range" min="0" aria-label="Replay: step">
      </div>
      <label class="live-label">Speed <select></select></label>
      <label class="live-label live-plain"
        title="Time follows the number of steps instead of the length of the paths.">
        <input type="checkbox"> Plain steps</label>`;
    const find = (selector) => this.element.querySelector(selector);
    this.button = find("button");
    this.slider = find("input[type=range]");
    this.output = find("output");
    this.output.setAttribute("aria-live", "off"); // the slider says its value
    const speed = find("select");
    for (const value of SPEEDS) speed.append(new Option(`${value} ×`, value));
    speed.value = this.player.speed;
    speed.addEventListener("change", () => (this.player.speed = Number(speed.value)));
    const plain = find("input[type=checkbox]");
    plain.addEventListener("change", () => this.player.setPlain(plain.checked));
    this.button.addEventListener("click", () => this.player.toggle());
    this.slider.addEventListener("input", () => this.scrub());
    this.slider.addEventListener("change", () => this.tellSoon());
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.listening = new AbortController();
    const { signal } = this.listening;
    stage.addEventListener("step", () => this.showStep(), { signal });
    stage.addEventListener("play", () => this.showPlaying(), { signal });
    document.addEventListener("click", (event) => this.clicked(event), { signal, capture: true });
    parent.append(this.element);
  }

  /** Take over what Python sends: the last step, the step to show, and the steps of a frame. */
  receive({ step, last, heard, stride }) {
    this.stride = stride;
    this.slider.max = last;
    this.stage.receiveStep(step, last, heard);
    this.showStep();
  }

  scrub() {
    this.player.stop();
    const step = Number(this.slider.value);
    this.stage.go(step >= this.stage.last ? null : this.onFrame(step));
  }

  /** The step of the frame that is nearest. */
  onFrame(step) {
    return Math.round(step / this.stride) * this.stride;
  }

  tellSoon() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.player.isPlaying || this.stage.tell(), QUIET);
  }

  key(event) {
    const { at, last } = this.stage;
    const onSlider = event.target === this.slider;
    if (event.key === " " && onSlider) {
      event.preventDefault();
      this.player.toggle();
      return;
    }
    const by = (event.shiftKey ? FAR : 1) * this.stride;
    const steps = {
      ArrowLeft: at - by,
      ArrowDown: at - by,
      ArrowRight: at + by,
      ArrowUp: at + by,
      PageDown: at - FAR * this.stride,
      PageUp: at + FAR * this.stride,
      Home: 0,
      End: last,
    };
    const isShortcut = event.altKey || event.ctrlKey || event.metaKey;
    if (!onSlider || isShortcut || !(event.key in steps)) return;
    event.preventDefault();
    this.player.stop();
    this.stage.go(steps[event.key]);
    this.tellSoon();
  }

  /** Where a menu or a link of the page is opened, it is about the step on the screen. */
  clicked(event) {
    const isOurs = event.target.closest(".live-controls, .live-figures");
    if (this.player.isPlaying && !isOurs && event.target.closest("summary, button, a")) {
      this.player.pause();
    }
  }

  showStep() {
    const { at, last } = this.stage;
    this.slider.max = last; // a training in the browser may end elsewhere
    this.slider.value = at;
    this.slider.style.setProperty("--live-share", last ? at / last : 0);
    const text = `${count(at)} of ${count(last)}`;
    this.slider.setAttribute("aria-valuetext", `step ${text}`);
    this.output.textContent = text;
  }

  showPlaying() {
    this.button.textContent = this.player.isPlaying ? "Pause" : "Play";
  }

  remove() {
    this.player.stop();
    clearTimeout(this.telling);
    this.listening.abort();
    this.element.remove();
  }
}
