/**
 * Training while the visitor drags: all runs of a page from the place under the pointer, in every
 * frame. When the visitor lets go, Python trains with PyTorch, and its runs take their place.
 */

import { count, quantity } from "./numbers.js";
import { problemOf } from "./problem.js";
import { TrainedRun, upTo } from "./runs.js";
import { createPath, train } from "./trainer.js";

const MAX_RECORDED = 20_000; // steps of a run; of a longer one every k-th
const RATE_DIGITS = 2; // of a learning rate that a slider sets
const RATE_SPAN = 1000; // positions of a slider for each power of ten

export class Training extends EventTarget {
  /** @param {Stage} stage - whose figures show the runs */
  constructor(stage) {
    super();
    this.stage = stage;
    this.problems = [];
    this.changed = new Set(); // names of what Python does not know yet
  }

  /**
   * Take over what Python sends: `problems` and their `arrays` (see README.md), a `label` and an
   * `optimizer` for each, whether it `follows` the page's learning rate and momentum, and the
   * number of its start. `runs_digest` names PyTorch's runs of these problems.
   */
  receive({ problems, arrays, live, nbytes, runs_digest: digest, settings }) {
    Object.assign(this, { live, nbytes, digest, settings });
    this.problems = live ? problems.map((sent) => problemOf(sent, arrays)) : problems;
    this.paths = live && this.problems.map((problem) => {
      return createPath(problem, Math.ceil(problem.steps / MAX_RECORDED));
    });
    this.reset();
  }

  /** The starts, the learning rate and the momentum that Python has. */
  reset() {
    this.starts = this.settings.starts.map((start) => [...start]);
    this.lr = this.settings.lr;
    this.momentum = this.settings.momentum;
    this.changed.clear();
    this.dispatchEvent(new Event("start"));
    this.compare();
  }

  /** Train from other starts or at another rate, in the next frame. */
  change(changes) {
    Object.assign(this, changes);
    for (const name of Object.keys(changes)) this.changed.add(name);
    this.dispatchEvent(new Event("start"));
    if (this.live) this.request ??= requestAnimationFrame(() => this.frame());
  }

  move(index, point) {
    const starts = this.starts.map((start, k) => (k === index ? [...point, ...start.slice(2)] : start));
    this.change({ starts });
  }

  frame() {
    this.request = undefined;
    const began = performance.now();
    this.trainAll();
    const took = performance.now() - began;
    this.stage.showTrained(
      this.problems.map(({ label, optimizer }, k) => {
        return new TrainedRun(label, optimizer, this.paths[k]);
      }),
    );
    this.say(`Trained in this browser: ${this.stepsText()} in ${quantity(took, 2)} ms`);
  }

  trainAll() {
    this.problems.forEach((problem, k) => {
      const { lr, momentum } = problem.follows;
      train(
        problem,
        this.paths[k],
        this.starts[problem.start],
        lr ? this.lr : problem.lr,
        momentum ? this.momentum : problem.momentum,
      );
    });
  }

  stepsText() {
    return `${count(this.problems.reduce((sum, { steps }) => sum + steps, 0))} steps`;
  }

  /** Tell Python what was changed. */
  release() {
    if (!this.changed.size) return;
    this.say("PyTorch trains the same runs …");
    const chosen = { starts: this.starts.map((start) => start.slice(0, 2)) };
    Object.assign(chosen, { lr: this.lr, momentum: this.momentum });
    this.send(Object.fromEntries(Array.from(this.changed, (name) => [name, chosen[name]])));
  }

  /** Go back to what Python has. */
  cancel() {
    if (!this.changed.size) return;
    this.reset();
    if (this.live) this.frame();
  }

  /** Say how far PyTorch's runs, once they are here, are from those of this browser. */
  compare() {
    if (this.changed.size) return;
    if (!this.live) {
      const megabytes = quantity(this.nbytes / 1e6, 2);
      this.say(`${megabytes} MB are too many to train while you drag: PyTorch trains when you let go.`);
      return;
    }
    const { runs, runsDigest } = this.stage;
    if (runsDigest !== this.digest) return;
    if (!runs.length && this.problems.length) this.frame(); // PyTorch has yet to train
    if (runs.length !== this.problems.length) return;
    this.trainAll();
    const largest = runs.reduce((most, run, k) => Math.max(most, difference(run, this.paths[k])), 0);
    const text = largest === 0 ? "none" : quantity(largest, 2);
    this.say(`PyTorch agrees with this browser: largest difference of a weight ${text}`);
  }

  say(text) {
    this.text = text;
    this.dispatchEvent(new Event("said"));
  }
}

/** The largest difference between the weights of two records at the same steps. */
function difference(run, path) {
  let most = 0;
  for (let row = 0; row < run.steps.length; row++) {
    const k = upTo(path.steps, run.steps[row]) - 1;
    if (path.steps[k] !== run.steps[row]) continue;
    run.weightsOf(row).forEach((weight, i) => {
      const distance = Math.abs(weight - path.weights[i][k]);
      if (distance > most) most = distance;
    });
  }
  return most;
}

// ---- the sliders ---------------------------------------------------------------------------------

/** The sliders of the learning rate and the momentum, and a line about the training. */
export class TrainingControls {
  constructor(parent, training) {
    this.training = training;
    this.element = document.createElement("div");
    this.element.className = "live-controls live-training";
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", "Train in this browser");
    this.element.innerHTML = `
      <label class="live-rate">Learning rate <output></output>
        <input type="range" min="0" aria-label="Learning rate"></label>
      <label class="live-rate live-momentum">Momentum <output></output>
        <input type="range" min="0" max="0.99" step="0.01" aria-label="Momentum"></label>
      <p role="status"></p>`;
    const [rate, momentum] = this.element.querySelectorAll("label");
    this.rate = partsOf(rate);
    this.momentum = { label: momentum, ...partsOf(momentum) };
    this.status = this.element.querySelector("p");
    this.rate.slider.addEventListener("input", () => training.change({ lr: this.chosenRate() }));
    this.momentum.slider.addEventListener("input", () => {
      training.change({ momentum: Number(this.momentum.slider.value) });
    });
    for (const { slider } of [this.rate, this.momentum]) {
      slider.addEventListener("change", () => training.release());
      slider.addEventListener("keydown", (event) => event.key === "Escape" && training.cancel());
    }
    training.addEventListener("start", () => this.show());
    training.addEventListener("said", () => (this.status.textContent = training.text));
    parent.append(this.element);
  }

  show() {
    const { lr, momentum, settings } = this.training;
    [this.lowest, this.highest] = settings.lr_range;
    const positions = Math.round(Math.log10(this.highest / this.lowest) * RATE_SPAN);
    this.rate.slider.max = positions;
    this.rate.slider.value = Math.round(Math.log10(lr / this.lowest) * RATE_SPAN);
    this.rate.slider.setAttribute("aria-valuetext", String(lr));
    this.rate.output.textContent = String(lr);
    this.momentum.label.hidden = settings.momentum_from === null;
    this.momentum.slider.min = settings.momentum_from ?? 0;
    this.momentum.slider.value = momentum;
    this.momentum.output.textContent = String(momentum);
  }

  chosenRate() {
    const rate = this.lowest * 10 ** (Number(this.rate.slider.value) / RATE_SPAN);
    return Number(rate.toPrecision(RATE_DIGITS));
  }

  remove() {
    this.element.remove();
  }
}

function partsOf(label) {
  return { slider: label.querySelector("input"), output: label.querySelector("output") };
}
