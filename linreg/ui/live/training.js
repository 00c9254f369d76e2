/**
 * Training while the visitor drags: all runs of a page from the place under the pointer, in every
 * frame. When the visitor lets go, Python trains with PyTorch, and its runs take their place.
 */

import { count, quantity } from "./numbers.js";
import { problemOf } from "./problem.js";
import { TrainedRun, upTo } from "./runs.js";
import { createPath, train } from "./trainer.js";

const MAX_LIVE_STEPS = 5_000_000; // of all runs, which a frame can train
const AGREES = 1e-3; // of weights: from here on it is said that rounding made the difference
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
   * indices of its `starts`. `runs_digest` names Python's runs of these problems; `finals` are the
   * last weights of these, where their records are not in double precision.
   */
  receive({ problems, arrays, live, nbytes, runs_digest: digest, finals, settings }) {
    Object.assign(this, { nbytes, digest, finals, settings });
    this.isSent = live;
    this.problems = live ? problems.map((sent) => problemOf(sent, arrays)) : problems;
    this.paths = this.problems.map(() => []); // of each problem one for each start
    this.reset();
  }

  /** Whether it trains while the visitor drags. */
  get live() {
    return this.isSent && this.stepCount() <= MAX_LIVE_STEPS;
  }

  /** Whether starts can be added and removed. */
  get isEditable() {
    return Boolean(this.settings?.max_starts);
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
    this.isReleased = false;
    this.dispatchEvent(new Event("start"));
    if (this.live) this.request ??= requestAnimationFrame(() => this.frame());
  }

  /**
   * Move a start. Starts that nobody typed, such as those of a ring, are numbers of their own from
   * then on, and `rounded` to few digits.
   */
  move(index, point, rounded) {
    this.changeStarts(rounded, (starts) =>
      starts.map((start, k) => (k === index ? [...point, ...start.slice(2)] : start)),
    );
  }

  changeStarts(rounded, make) {
    const typed = this.changed.has("starts") ? Infinity : (this.settings.typed_starts ?? Infinity);
    const starts = this.starts.map((start, k) => (k < typed ? start : rounded(start)));
    this.change({ starts: make(starts) });
  }

  /** Add a start and tell Python; returns why not, where there are as many as there can be. */
  add(point, rounded) {
    const { max_starts: most } = this.settings;
    if (this.starts.length >= most) return `${most} starts are the most: click one to remove it.`;
    this.changeStarts(rounded, (starts) => [...starts, point]);
    this.release();
    return undefined;
  }

  /** Remove a start and tell Python; returns why not, where it is the last one. */
  remove(index, rounded) {
    if (this.starts.length === 1) return "The last start stays: add another one first.";
    this.changeStarts(rounded, (starts) => starts.filter((_, k) => k !== index));
    this.release();
    return undefined;
  }

  frame() {
    this.request = undefined;
    if (!this.problems.length) return;
    const began = performance.now();
    const runs = this.trainAll();
    const took = performance.now() - began;
    this.stage.showTrained(runs);
    if (this.isReleased) return;
    const steps = count(this.stepCount());
    this.say(`Trained in this browser: ${steps} steps in ${quantity(took, 2)} ms`);
  }

  /** Train every problem from each of its starts. */
  trainAll() {
    return this.problems.flatMap((problem, k) => {
      const { label, optimizer, follows } = problem;
      const lr = follows.lr ? this.lr : problem.lr;
      const momentum = follows.momentum ? this.momentum : problem.momentum;
      const every = Math.ceil(problem.steps / this.settings.max_recorded);
      return this.startsOf(problem).map((start, i) => {
        const path = (this.paths[k][i] ??= createPath(problem, every));
        const others = problem.init.slice(start.length); // such as a bias
        train(problem, path, [...start, ...others], lr, momentum);
        return new TrainedRun(label, optimizer, path);
      });
    });
  }

  /** The starts of a problem: its own, or all once the visitor has changed them. */
  startsOf(problem) {
    if (this.changed.has("starts")) return this.starts;
    return problem.starts.map((index) => this.starts[index]);
  }

  stepCount() {
    return this.problems.reduce((sum, problem) => {
      return sum + problem.steps * this.startsOf(problem).length;
    }, 0);
  }

  /** Tell Python what was changed. */
  release() {
    if (!this.changed.size) return;
    const chosen = { starts: this.starts.map((start) => start.slice(0, 2)) };
    Object.assign(chosen, { lr: this.lr, momentum: this.momentum });
    const { settings } = this;
    const known = { ...settings, starts: settings.starts.map((start) => start.slice(0, 2)) };
    const names = [...this.changed];
    if (names.every((name) => String(chosen[name]) === String(known[name]))) {
      this.cancel(); // back where it was
      return;
    }
    this.isReleased = true;
    this.say(capitalized(`${settings.trainer} trains the same runs …`));
    this.send(Object.fromEntries(names.map((name) => [name, chosen[name]])));
  }

  /** Go back to what Python has. */
  cancel() {
    if (!this.changed.size) return;
    this.reset();
    if (this.live) this.frame();
  }

  /** Say how far PyTorch's runs, once they are here, are from those of this browser. */
  compare() {
    if (!this.settings || this.changed.size) return;
    const { trainer } = this.settings;
    if (!this.live) {
      const megabytes = `${quantity(this.nbytes / 1e6, 2)} MB`;
      const steps = `${count(this.stepCount())} steps`;
      const much = this.isSent ? steps : megabytes;
      this.say(`${much} are too many to train while you drag: ${trainer} trains when you let go.`);
      return;
    }
    const { runs, runsDigest } = this.stage;
    if (runsDigest !== this.digest) return;
    if (!runs.length) {
      this.frame(); // PyTorch has yet to train
      return;
    }
    const trained = this.trainAll();
    if (runs.length !== trained.length) return;
    const largest = this.finals
      ? differenceOfFinals(trained, this.finals)
      : runs.reduce((most, run, k) => Math.max(most, difference(run, trained[k].path)), 0);
    const text = largest === 0 ? "none" : quantity(largest, 2);
    const said = largest < AGREES
      ? `${trainer} agrees with this browser: largest difference of a weight ${text}`
      : `${trainer} rounds differently from this browser: the weights differ by up to ${text}`;
    this.say(capitalized(said));
  }

  say(text) {
    this.text = text;
    this.dispatchEvent(new Event("said"));
  }
}

function capitalized(text) {
  return text[0].toUpperCase() + text.slice(1);
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

/**
 * The largest difference between the last weights of runs and those of Python, of weights above 1
 * relative to these.
 */
function differenceOfFinals(runs, finals) {
  let [most, at] = [0, 0];
  for (const { columns, steps } of runs) {
    for (const column of columns) {
      const expected = finals[at++];
      const size = Math.max(Math.abs(expected), 1);
      const distance = Math.abs(column[steps.length - 1] - expected) / size;
      if (distance > most) most = distance; // never where both have diverged
    }
  }
  return most;
}

// ---- the sliders --------------------------------------------------------------------------------

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
    this.rate = { label: rate, ...partsOf(rate) };
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
    this.rate.label.hidden = settings.lr_range === null;
    this.momentum.label.hidden = settings.momentum_from === null;
    if (settings.lr_range === null) return;
    [this.lowest, this.highest] = settings.lr_range;
    const positions = Math.round(Math.log10(this.highest / this.lowest) * RATE_SPAN);
    this.rate.slider.max = positions;
    this.rate.slider.value = Math.round(Math.log10(lr / this.lowest) * RATE_SPAN);
    this.rate.slider.setAttribute("aria-valuetext", String(lr));
    this.rate.output.textContent = String(lr);
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
