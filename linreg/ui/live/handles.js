/** The starting points on a surface, which can be dragged, or moved with the arrow keys. */

import { point } from "./numbers.js";

const GRID = 500; // places of a start along the width of the plot
const KEY_STEP = 5; // places that a key moves by
const FAR = 10; // times as many with Shift
const QUIET = 500; // milliseconds without a key until the start counts as let go

export class Handles {
  /**
   * @param {FigureView} view - of a surface
   * @param {Training} training
   */
  constructor(view, training) {
    Object.assign(this, { view, training, buttons: [] });
    this.listening = new AbortController();
    const { signal } = this.listening;
    training.addEventListener("start", () => this.place(), { signal });
    view.addEventListener("drawn", () => this.place(), { signal });
  }

  /** Put a handle on every start. */
  place() {
    const { starts } = this.training;
    if (!starts || !this.view.view) return;
    while (this.buttons.length > starts.length) this.buttons.pop().remove();
    starts.forEach((start, k) => {
      this.buttons[k] ??= this.newButton(k);
      const button = this.buttons[k];
      const { x, y } = this.view.placeOf(start);
      button.classList.toggle("live-inviting", !this.training.wasUsed);
      button.hidden = !this.view.figure.contains(start[0], start[1]);
      button.style.transform = `translate(${x}px, ${y}px)`;
      button.setAttribute("aria-label", `Starting point ${point(start.slice(0, 2))}; arrow keys move it`);
    });
  }

  newButton(index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "live-handle";
    button.title = "Drag the starting point";
    button.addEventListener("pointerdown", (event) => this.grab(event, index));
    button.addEventListener("pointermove", (event) => this.drag(event, index));
    for (const name of ["pointerup", "pointercancel"]) {
      button.addEventListener(name, (event) => this.letGo(event));
    }
    button.addEventListener("keydown", (event) => this.key(event, index));
    this.view.element.append(button);
    return button;
  }

  grab(event, index) {
    if (event.button !== 0) return;
    event.target.setPointerCapture(event.pointerId);
    event.target.classList.add("live-held");
    this.held = index;
    this.training.wasUsed = true;
    this.training.stage.dispatchEvent(new Event("taken"));
  }

  drag(event, index) {
    if (this.held !== index) return;
    this.training.move(index, this.onGrid(this.view.weightsAt(event)));
  }

  letGo(event) {
    if (this.held === undefined) return;
    this.held = undefined;
    event.target.classList.remove("live-held");
    if (event.type === "pointercancel") this.training.cancel();
    else this.training.release();
  }

  key(event, index) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    if (event.key === "Escape") {
      clearTimeout(this.telling);
      this.held = undefined;
      this.training.cancel();
    }
    if (!(event.key in moves)) return;
    event.preventDefault();
    const by = (event.shiftKey ? FAR : 1) * KEY_STEP * this.grid();
    const start = this.training.starts[index];
    const moved = moves[event.key].map((sign, i) => start[i] + sign * by);
    this.training.move(index, this.onGrid(moved));
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.training.release(), QUIET);
  }

  /** The distance between two places of a start, a power of ten. */
  grid() {
    const [left, right] = this.view.figure.domain;
    return 10 ** Math.floor(Math.log10((right - left) / GRID) + 0.5);
  }

  /** The place that is nearest, inside the plot. */
  onGrid(weights) {
    const [left, right, bottom, top] = this.view.figure.domain;
    const limits = [[left, right], [bottom, top]];
    const decimals = Math.max(-Math.round(Math.log10(this.grid())), 0);
    return weights.map((weight, i) => {
      const inside = Math.min(Math.max(weight, limits[i][0]), limits[i][1]);
      const cell = inside / this.grid();
      return Number((Math.round(cell) * this.grid()).toFixed(decimals));
    });
  }

  remove() {
    this.listening.abort();
    clearTimeout(this.telling);
    for (const button of this.buttons) button.remove();
  }
}
