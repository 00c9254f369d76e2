/**
 * The sliders of the cause page: one bar for the share of all pairs and the batch size, and one for
 * the weights. Both move the figures of their group in the browser, and tell Python once the
 * visitor has let go.
 */

import { Fade, rowsOfFade } from "./fade.js";
import { stageOf } from "./live.js";
import { coordinate, count, point, quantity, r2Text } from "./numbers.js";
import { unpack } from "./payload.js";
import { Telling } from "./telling.js";

const QUIET = 300; // milliseconds without a key until Python is told
const PLAY_TIME = 3000; // milliseconds from 0 to 1

const parts = new Map(); // Streamlit's element -> what is mounted in it
const fades = new Map(); // group -> its losses and the figures that show them

export function mount({ parentElement, data, setTriggerValue }) {
  addStyleSheet();
  const sent = unpack(data);
  let part = parts.get(parentElement);
  if (!part) {
    part = sent.part === "bar" ? new Bar(parentElement) : new Weights(parentElement);
    parts.set(parentElement, part);
  }
  part.receive(sent, (values) => setTriggerValue("move", values));
}

function sharedOf(group) {
  if (!fades.has(group)) fades.set(group, new SharedFade(group));
  return fades.get(group);
}

export function unmount(parentElement) {
  parts.get(parentElement)?.remove();
  parts.delete(parentElement);
}

function addStyleSheet() {
  const address = new URL("fade.css", import.meta.url).href;
  if (document.querySelector(`link[href="${address}"]`)) return;
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: address });
  document.head.append(link);
}

/**
 * The fade of a group, and the figures that show it. Events: `change`, once a frame; `ready` when
 * its losses have arrived.
 */
class SharedFade extends EventTarget {
  constructor(group) {
    super();
    this.stage = stageOf(group);
    this.fade = undefined;
  }

  takeModel(model) {
    if (!this.fade) {
      this.fade = new Fade(model);
      this.stage.rowsBy = (figure) => rowsOfFade(this.fade, figure);
      this.dispatchEvent(new Event("ready"));
      return;
    }
    const { size } = this.fade;
    this.fade.takeModel(model);
    this.fade.index = this.fade.indexOf(size);
  }

  /** Show the values in the next frame. */
  changed() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.stage.render();
      this.dispatchEvent(new Event("change"));
    });
  }
}

/** Sliders for some values, and what Python knows of these. */
class Sliders {
  constructor(parent) {
    this.telling = new Telling(null); // of the values as JSON
    this.element = document.createElement("div");
    this.element.className = "live-fade";
    this.element.setAttribute("role", "group");
    this.element.innerHTML = this.markup();
    parent.append(this.element);
    this.element.addEventListener("change", () => this.tellSoon());
    this.element.addEventListener("input", (event) => {
      this.move(event.target);
      this.shared.changed();
    });
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  /** Take over what Python sends, unless it is older than what is shown. */
  receive({ group, values, heard, ...more }, send) {
    this.send = send;
    this.follow(sharedOf(group), more);
    this.sent = { values, heard };
    if (this.shared.fade) this.takeSent();
  }

  takeSent() {
    const { values, heard } = this.sent;
    if (this.telling.takes(JSON.stringify(values), heard)) this.take(values);
    this.show();
    this.shared.changed();
  }

  /** Follow the changes of a group. */
  follow(shared) {
    if (this.shared === shared) return;
    this.listening?.abort();
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.shared = shared;
    shared.addEventListener("change", () => this.show(), { signal });
    shared.addEventListener("ready", () => this.sent && this.takeSent(), { signal });
  }

  tellSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), QUIET);
  }

  /** Tell Python the values, so that the address, exports and sentences follow. */
  tell() {
    const values = this.values();
    if (!this.telling.tells(JSON.stringify(values))) return;
    this.send({ ...values, told: this.telling.count });
  }

  remove() {
    clearTimeout(this.timer);
    this.listening?.abort();
    this.element.remove();
  }
}

/** The share of all pairs, the batch size, and what they come to. */
class Bar extends Sliders {
  constructor(parent) {
    super(parent);
    this.element.setAttribute("aria-label", "Fade in the wrong pairs");
    this.element.classList.add("live-fade-bar");
    stick(parent);
    [this.alpha, this.size] = this.element.querySelectorAll("input");
    this.button = this.find("button");
    this.button.addEventListener("click", () => this.toggle());
  }

  markup() {
    return `
      <div class="live-fade-main">
        <button type="button">Play</button>
        <label class="live-fade-slider">
          <span>Wrong pairs faded in <output aria-live="off"></output></span>
          <input type="range" min="0" max="1" step="0.01" aria-label="Wrong pairs faded in">
          <span class="live-fade-ends">
            <span>each prediction with its own target</span><span>all pairs</span>
          </span>
        </label>
        <label class="live-fade-slider live-fade-short">
          <span>Rows per batch <output aria-live="off"></output></span>
          <input type="range" min="0" step="1" aria-label="Rows per batch">
          <span class="live-fade-ends"><span>1</span><span></span></span>
        </label>
      </div>
      <div class="live-fade-results"><code></code><span></span></div>`;
  }

  follow(shared, { model, code }) {
    this.code = code;
    super.follow(shared);
    shared.takeModel(model);
    this.size.max = model.sizes.length - 1;
    this.find(".live-fade-short .live-fade-ends :last-child").textContent = count(
      model.sizes.at(-1),
    );
  }

  take({ alpha, batch_rows: size }) {
    this.pause();
    const { fade } = this.shared;
    fade.alpha = alpha;
    fade.index = fade.indexOf(size ?? fade.model.own);
  }

  values() {
    const { alpha, size, model } = this.shared.fade;
    return { alpha, batch_rows: size === model.own ? null : size };
  }

  move(input) {
    const { fade } = this.shared;
    if (input === this.size) fade.index = Number(input.value);
    else {
      this.pause();
      fade.alpha = Number(input.value);
    }
  }

  show() {
    const { fade } = this.shared;
    const percent = `${Number((100 * fade.alpha).toPrecision(4))} %`;
    const [alpha, size] = this.element.querySelectorAll("output");
    const rows = fade.size === 1 ? "1 row" : `${count(fade.size)} rows`;
    alpha.textContent = percent;
    size.textContent = count(fade.size);
    this.alpha.value = fade.alpha;
    this.size.value = fade.index;
    const result =
      `minimum ${point(fade.minimum)}, minimum loss ${quantity(fade.minLoss)},` +
      ` R² ${r2Text(fade.rSquared)}`;
    this.alpha.setAttribute("aria-valuetext", `${percent}: ${result}`);
    this.size.setAttribute("aria-valuetext", `${rows}: ${result}`);
    this.find("code").textContent = `loss = ${this.line(fade.alpha)}`;
    this.find(".live-fade-results span").textContent = result;
  }

  /** The code of the loss. */
  line(alpha) {
    const { matched, broadcast } = this.code;
    if (alpha === 0) return matched;
    if (alpha === 1) return broadcast;
    const [rest, share] = [1 - alpha, alpha].map((each) => String(Number(each.toFixed(4))));
    return `${rest} * ${matched} + ${share} * ${broadcast}`;
  }

  // ---- playing ----

  toggle() {
    if (this.playing) this.pause();
    else this.play();
    if (!this.playing) this.tellSoon();
  }

  /** From 0, or from where it stands, to 1; at once where less motion is wanted. */
  play() {
    const { fade } = this.shared;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      fade.alpha = fade.alpha < 1 ? 1 : 0;
      this.shared.changed();
      return;
    }
    const from = fade.alpha < 1 ? fade.alpha : 0;
    let begin;
    const next = (now) => {
      begin ??= now;
      fade.alpha = Math.min(from + (now - begin) / PLAY_TIME, 1);
      this.shared.changed();
      if (fade.alpha < 1) this.playing = requestAnimationFrame(next);
      else {
        this.pause();
        this.tellSoon();
      }
    };
    this.playing = requestAnimationFrame(next);
    this.button.textContent = "Pause";
  }

  pause() {
    if (this.playing) cancelAnimationFrame(this.playing);
    this.playing = undefined;
    this.button.textContent = "Play";
  }

  remove() {
    this.pause();
    super.remove();
  }
}

/** The weights at which the losses are taken apart, and two places to go to. */
class Weights extends Sliders {
  constructor(parent) {
    super(parent);
    this.element.setAttribute("aria-label", "Weights");
    this.inputs = [...this.element.querySelectorAll("input")];
    const [there, here] = this.element.querySelectorAll("button");
    there.addEventListener("click", () => this.go([null, null]));
    here.addEventListener("click", () => this.go(this.shared.fade.minimumOf(0)));
  }

  markup() {
    const slider = (k) => `
      <label class="live-fade-slider">
        <span>Weight ${k} <output aria-live="off"></output></span>
        <input type="range" aria-label="Weight ${k}">
      </label>`;
    return `
      <div class="live-fade-main">
        ${slider(1)}${slider(2)}
        <div class="live-fade-buttons">
          <button type="button">Go to the correct solution</button>
          <button type="button">Go to the buggy minimum</button>
        </div>
      </div>`;
  }

  receive({ max, steps, ...sent }, send) {
    for (const input of this.inputs) {
      Object.assign(input, { min: -max, max, step: (2 * max) / steps });
    }
    super.receive(sent, send);
  }

  take({ w1, w2 }) {
    this.chosen = [w1, w2]; // null is the correct solution
    this.apply();
  }

  apply() {
    const { fade } = this.shared;
    fade.weights = this.chosen.map((weight, i) => weight ?? fade.model.best[i]);
  }

  values() {
    const [w1, w2] = this.chosen;
    return { w1, w2 };
  }

  move(input) {
    this.chosen[this.inputs.indexOf(input)] = Number(input.value);
    this.apply();
  }

  go(weights) {
    this.chosen = [...weights];
    this.apply();
    this.shared.changed();
    this.tellSoon();
  }

  show() {
    if (!this.chosen) return;
    const { fade } = this.shared;
    if (this.model !== fade.model) {
      this.model = fade.model;
      this.apply(); // the correct solution may be another one
    }
    const outputs = this.element.querySelectorAll("output");
    this.inputs.forEach((input, i) => {
      input.value = fade.weights[i];
      outputs[i].textContent = coordinate(fade.weights[i]);
      input.setAttribute("aria-valuetext", coordinate(fade.weights[i]));
    });
  }
}

/** Keep an element in sight, below the page's header, while the page is scrolled: the box around it
 * sticks that is one of several. */
function stick(element) {
  let box = element;
  while (box.parentElement && box.parentElement.children.length === 1) box = box.parentElement;
  box.classList.add("live-fade-sticky");
  box.style.top = `${document.querySelector("header")?.offsetHeight ?? 0}px`;
}
