/**
 * Mounts the parts of a live page in Streamlit's elements: its controls, and its sets of figures.
 * `loader.js` calls `mount` whenever Python sends an element, and `unmount` when one is gone.
 */

import { Controls } from "./controls.js";
import { Handles } from "./handles.js";
import { Hover } from "./hover.js";
import { legendOf } from "./legend.js";
import { unpack } from "./payload.js";
import { stageOf } from "./stage.js";
import { Figure } from "./tables.js";
import { TrainingControls } from "./training.js";
import { FigureView } from "./views.js";

export { stageOf };

const parts = new Map(); // Streamlit's element -> what is mounted in it

addStyleSheet();

/** Show what Python sends in one of Streamlit's elements. */
export function mount(component) {
  const { parentElement, data } = component;
  let part = parts.get(parentElement);
  if (!part) {
    part = new (partOf(data))(parentElement);
    parts.set(parentElement, part);
  }
  part.receive(component);
}

export function unmount(parentElement) {
  parts.get(parentElement)?.remove();
  parts.delete(parentElement);
}

/** What is mounted for these data. */
function partOf(data) {
  if (!(data instanceof Uint8Array)) return ControlsPart;
  return "problems" in unpack(data) ? TrainingPart : FiguresPart;
}

function addStyleSheet() {
  const address = new URL("live.css", import.meta.url).href;
  if (document.querySelector(`link[href="${address}"]`)) return; // preload.js was first
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: address });
  document.head.append(link);
}

/** The controls of a group. */
class ControlsPart {
  constructor(parent) {
    this.parent = parent;
  }

  receive({ data, setTriggerValue }) {
    const stage = stageOf(data.group);
    if (this.stage !== stage) {
      this.controls?.remove();
      this.controls = new Controls(this.parent, stage);
      this.stage = stage;
    }
    stage.send = (message) => setTriggerValue("step", message);
    this.controls.receive(data);
  }

  remove() {
    this.controls?.remove();
  }
}

/** What the browser trains when the visitor drags, and the sliders for it. */
class TrainingPart {
  constructor(parent) {
    this.parent = parent;
  }

  receive({ data, setTriggerValue }) {
    if (isSame(data, this.bytes)) return;
    this.bytes = data;
    const sent = unpack(data);
    const { training } = stageOf(sent.group);
    if (this.training !== training) {
      this.controls?.remove();
      this.controls = new TrainingControls(this.parent, training);
      this.training = training;
    }
    training.send = (release) => setTriggerValue("release", release);
    training.receive(sent);
  }

  remove() {
    this.controls?.remove();
  }
}

/** A set of figures, side by side, and the runs that move them. */
class FiguresPart {
  constructor(parent) {
    this.element = document.createElement("div");
    this.element.className = "live-figures";
    parent.append(this.element);
    this.views = [];
  }

  receive({ data }) {
    if (isSame(data, this.bytes)) return;
    this.bytes = data;
    const message = unpack(data);
    const { group, figures, runs, runs_digest: digest } = message;
    this.stage = stageOf(group);
    while (this.views.length > figures.length) this.removeView(this.views.pop());
    if (runs) this.stage.receiveRuns({ digest, runs });
    figures.forEach((sent, k) => {
      const figure = new Figure(sent, digest);
      if (this.stage.trained) figure.retrain(this.stage.trained);
      this.views[k] ??= this.newView(figure);
      this.views[k].draw(figure, () => this.stage.rowsOf(figure));
    });
    const legend = legendOf(message);
    this.legend?.remove();
    if (legend.childNodes.length) this.element.append(legend);
    this.legend = legend;
  }

  newView(figure) {
    const view = new FigureView(this.element);
    view.onClick = (event) => this.clicked(view, event);
    this.stage.views.add(view);
    view.hover = new Hover(view, this.stage);
    if (figure.isDraggable) view.handles = new Handles(view, this.stage.training);
    return view;
  }

  /** A click on a surface adds a start; one on a curve against step shows that step. */
  clicked(view, event) {
    if (view.handles?.click(event)) return;
    if (view.figure.moving.now?.rule === "step") {
      const step = Math.round(view.stepAt(event));
      if (step < 0 || step > this.stage.last) return;
      this.stage.dispatchEvent(new Event("taken"));
      this.stage.go(step);
      this.stage.tell();
    }
  }

  removeView(view) {
    this.stage.views.delete(view);
    view.handles?.remove();
    view.hover.remove();
    view.remove();
  }

  remove() {
    for (const view of this.views) this.removeView(view);
    this.element.remove();
  }
}

function isSame(bytes, before) {
  return before?.length === bytes.length && bytes.every((byte, k) => byte === before[k]);
}
