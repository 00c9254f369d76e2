/** The starting points on a surface, which can be dragged, or moved with the arrow keys. */

import { point } from "./numbers.js";

const GRID = 500; // places of a start along the width of the plot
const KEY_STEP = 5; // places that a key moves by
const FAR = 10; // times as many with Shift
const QUIET = 500; // milliseconds without a key until the start counts as let go
const NOTE = 6_000; // milliseconds for which a reason is shown
const CLICK = 3; // pixels that a click may move by
const FINER = 10; // times as many places for starts that are rounded, not moved

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
    addEventListener("scroll", () => this.scrolled(), { signal, capture: true, passive: true });
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
      const invites = k === 0 && !this.training.wasUsed;
      button.classList.toggle("live-inviting", invites);
      button.classList.toggle("live-inviting-below", invites && this.view.figure.invitesBelow);
      button.hidden = !this.view.figure.contains(start[0], start[1]);
      const transform = `translate(${x}px, ${y}px)`;
      if (button.style.transform !== transform) button.style.transform = transform;
      const place = point(start.slice(0, 2));
      const removes = this.training.isEditable ? ", Delete removes it" : "";
      button.setAttribute("aria-label", `Starting point ${place}; arrow keys move it${removes}`);
      button.title = removes
        ? "Drag the starting point, or click to remove it"
        : "Drag the starting point";
    });
  }

  newButton(index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "live-handle";
    button.addEventListener("pointerdown", (event) => this.grab(event));
    button.addEventListener("pointermove", (event) => this.drag(event, index));
    for (const name of ["pointerup", "pointercancel"]) {
      button.addEventListener(name, (event) => this.letGo(event));
    }
    button.addEventListener("keydown", (event) => this.key(event, index));
    this.view.element.append(button);
    return button;
  }

  grab(event) {
    if (event.button !== 0) return;
    const { clientX: x, clientY: y } = event;
    const index = this.nearest(event);
    if (this.areTooMany(index)) return;
    this.buttons[index].setPointerCapture(event.pointerId);
    this.buttons[index].classList.add("live-held");
    this.held = { index, x, y, hasMoved: false };
    this.take();
  }

  /** The start whose handle is nearest to the pointer: handles may overlap. */
  nearest({ clientX, clientY }) {
    const distances = this.buttons.map((button) => {
      if (button.hidden) return Infinity;
      const box = button.getBoundingClientRect();
      return Math.hypot(clientX - box.x - box.width / 2, clientY - box.y - box.height / 2);
    });
    return distances.indexOf(Math.min(...distances));
  }

  /** Note that the visitor has found the handles, and now moves what a replay may be moving. */
  take() {
    this.training.wasUsed = true;
    this.training.stage.dispatchEvent(new Event("taken"));
  }

  drag(event, index) {
    const { held } = this;
    if (held?.index !== index) return;
    held.hasMoved ||= Math.hypot(event.clientX - held.x, event.clientY - held.y) > CLICK;
    if (!held.hasMoved) return;
    held.box ??= this.view.pictureBox(); // once, not in every frame
    this.move(index, this.view.weightsAt(event, held.box));
  }

  scrolled() {
    if (this.held) this.held.box = undefined;
  }

  move(index, weights) {
    this.training.move(index, this.onGrid(weights), (start) => this.onGrid(start, FINER));
  }

  letGo(event) {
    if (this.held === undefined) return;
    const { index, hasMoved } = this.held;
    this.held = undefined;
    event.target.classList.remove("live-held");
    if (event.type === "pointercancel") this.training.cancel();
    else if (hasMoved) this.training.release();
    else this.removeStart(index);
  }

  /** A click on the plot adds a start. Whether it was one that counts. */
  click(event) {
    const place = this.view.weightsAt(event);
    if (!this.training.isEditable || !this.view.figure.contains(...place)) return false;
    this.take();
    const start = this.onGrid(place);
    this.refuse(start, this.training.add(start, (other) => this.onGrid(other, FINER)));
    return true;
  }

  removeStart(index) {
    if (!this.training.isEditable) return;
    const start = this.training.starts[index];
    this.refuse(start, this.training.remove(index, (other) => this.onGrid(other, FINER)));
    this.buttons[Math.min(index, this.buttons.length - 1)]?.focus();
  }

  /** Whether there are more starts than can be placed one by one, which is said at a start. */
  areTooMany(index) {
    const { settings, starts } = this.training;
    const most = settings.max_starts;
    if (!most || starts.length <= most) return false;
    this.refuse(starts[index], `Of more than ${most} starts none can be moved or removed.`);
    return true;
  }

  /** Say for a while at a place why something was not done; without a reason, say nothing. */
  refuse(place, reason) {
    this.note?.remove();
    if (!reason) return;
    this.note = document.createElement("p");
    this.note.className = "live-note";
    this.note.setAttribute("role", "alert");
    this.note.textContent = reason;
    const { x, y } = this.view.placeOf(place);
    const share = x / this.view.element.clientWidth; // so that it stays inside the figure
    this.note.style.transform = `translate(${x}px, ${y}px) translate(${-100 * share}%, -150%)`;
    this.view.element.append(this.note);
    setTimeout((note) => note.remove(), NOTE, this.note);
  }

  key(event, index) {
    if (["Delete", "Backspace"].includes(event.key) && this.training.isEditable) {
      event.preventDefault();
      clearTimeout(this.telling);
      if (!this.areTooMany(index)) this.removeStart(index);
    }
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    if (event.key === "Escape") {
      clearTimeout(this.telling);
      this.held = undefined;
      this.training.cancel();
    }
    if (!(event.key in moves)) return;
    event.preventDefault();
    if (this.areTooMany(index)) return;
    this.take();
    const by = (event.shiftKey ? FAR : 1) * KEY_STEP * this.grid();
    const start = this.training.starts[index];
    this.move(index, moves[event.key].map((sign, i) => start[i] + sign * by));
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.training.release(), QUIET);
  }

  /** The distance between two places of a start, a power of ten. */
  grid() {
    const [left, right] = this.view.figure.domain;
    return 10 ** Math.floor(Math.log10((right - left) / GRID) + 0.5);
  }

  /** The place inside the plot that is nearest, of so many times as many. */
  onGrid(weights, finer = 1) {
    const [left, right, bottom, top] = this.view.figure.domain;
    const limits = [[left, right], [bottom, top]];
    const grid = this.grid() / finer;
    const decimals = Math.max(-Math.round(Math.log10(grid)), 0);
    return Array.from(weights.slice(0, 2), (weight, i) => {
      const inside = Math.min(Math.max(weight, limits[i][0]), limits[i][1]);
      return Number((Math.round(inside / grid) * grid).toFixed(Math.min(decimals, 100)));
    });
  }

  remove() {
    this.listening.abort();
    clearTimeout(this.telling);
    this.note?.remove();
    for (const button of this.buttons) button.remove();
  }
}
