/**
 * What the mounted parts of a page share: the runs, the step that is shown, and the figures that
 * follow both. A page's controls and its figures are elements of their own in Streamlit's layout;
 * those of one `group` meet here.
 */

import { Clock } from "./clock.js";
import { Run } from "./runs.js";
import { Telling } from "./telling.js";
import { Training } from "./training.js";

const stages = new Map();

/** The stage of a group, made when it is first asked for. */
export function stageOf(group) {
  if (!stages.has(group)) stages.set(group, new Stage());
  return stages.get(group);
}

/**
 * Events: `step` after another step is shown, `runs` after the runs were replaced, `play` after a
 * replay has begun or ended.
 */
export class Stage extends EventTarget {
  constructor() {
    super();
    this.runs = [];
    this.runsDigest = undefined;
    this.last = 0;
    this.step = null; // null is the last one
    this.views = new Set(); // FigureViews with their figures
    this.telling = new Telling(null); // of the step
    this.isPlaying = false; // the player sets it
    this.send = () => {}; // tells Python a step; the controls set it
    this.trained = undefined; // the runs of the browser, while these are shown
    this.training = new Training(this);
    this.rowsBy = null; // for a page without runs: a function (figure) => its tables that move
  }

  /** The step that is shown. */
  get at() {
    return this.step === null ? this.last : Math.min(this.step, this.last);
  }

  /** Show a step in every figure. */
  go(step) {
    this.step = step === null || step >= this.last ? null : Math.max(Math.round(step), 0);
    this.render();
  }

  /** Show the current step in every figure, whose tables are computed when it is in sight. */
  render() {
    for (const view of this.views) view.show(() => this.rowsOf(view.figure));
    this.dispatchEvent(new Event("step"));
  }

  /** The tables of a figure that move, at the current step; at the end while its runs are not here.
   */
  rowsOf(figure) {
    if (this.trained) return figure.rowsAt(this.at, this.trained);
    if (this.rowsBy) return this.rowsBy(figure);
    const isReady = this.runs.length && figure.runsDigest === this.runsDigest;
    return isReady ? figure.rowsAt(this.at, this.runs) : figure.rowsAtEnd();
  }

  /** Show the end of runs that the browser has trained, until Python sends others. */
  showTrained(runs) {
    this.trained = runs;
    this.last = Math.max(...runs.map(({ last }) => last));
    this.step = null;
    for (const { figure } of this.views) figure.retrain(runs);
    this.render();
  }

  // ---- what comes from Python ----

  /** Take over the runs that a page sends; while there are none, those of the browser are shown. */
  receiveRuns({ digest, runs }) {
    if (digest === this.runsDigest && !this.trained) return;
    this.runsDigest = digest;
    this.trained = undefined;
    this.runs = runs.map((run) => new Run(run));
    this.training.compare();
    this.dispatchEvent(new Event("runs"));
    if (this.trained) return;
    this.step = this.telling.known;
    this.render();
  }

  /** Take over the last step, and the step that Python shows unless it is older than this one. */
  receiveStep(step, last, heard) {
    const hasMoved = last !== this.last;
    this.last = last;
    if (this.telling.takes(step, heard)) {
      this.dispatchEvent(new Event("taken"));
      this.step = step;
      this.render();
    } else if (hasMoved) this.render();
  }

  /** Tell Python the step, so that the address, exports and the script follow. */
  tell() {
    if (!this.telling.tells(this.step)) return;
    this.send({ step: this.step, told: this.telling.count });
  }

  /** The time of a replay of these figures. */
  clock(plain) {
    const figures = Array.from(this.views, ({ figure }) => figure);
    return new Clock(figures, this.last, plain);
  }
}
