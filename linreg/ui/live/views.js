/** A figure on the screen: its Vega view, which is kept while the spec stays the same. */

import { vegaEmbed } from "./vega_bundle.js";

const OPTIONS = {
  actions: false,
  renderer: "svg",
  defaultStyle: false,
  logLevel: 1, // errors
};
const NARROW = 40; // pixels; what is narrower is hidden
const HEADING = 40; // pixels at the top of every figure, in which nothing moves
const PATIENCE = 2_000; // milliseconds for a typeface
const REST = 300; // milliseconds without a change until figures out of sight are drawn, too

let queue = Promise.resolve(); // ends when the figures that were asked for are drawn

/** Event: `drawn` after its data or its size have changed. */
export class FigureView extends EventTarget {
  /** @param {Element} parent - the figure is drawn in a new element at its end */
  constructor(parent) {
    super();
    this.element = document.createElement("div");
    this.element.className = "live-figure";
    this.element.setAttribute("role", "figure");
    this.plot = document.createElement("div");
    this.element.append(this.plot);
    parent.append(this.element);
    this.shown = new Map(); // table -> its `rows` in the view, or `copies` of these, where known
    this.isVisible = true;
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this.element);
    const options = { rootMargin: `0px 0px -${HEADING}px 0px` };
    this.sight = new IntersectionObserver((entries) => this.seen(entries.at(-1)), options);
    this.sight.observe(this.element);
  }

  /**
   * Draw a figure. One of the same spec gets only its new data.
   * @param {Figure} figure
   * @param {function(): Object<string, Object[]>} makeRows - makes the tables that move
   */
  draw(figure, makeRows) {
    this.figure = figure;
    this.waiting = makeRows;
    this.element.setAttribute("aria-label", figure.label);
    const spec = JSON.stringify(figure.spec);
    if (spec === this.spec) {
      this.hasNewTables = true;
      this.refresh();
    } else {
      this.spec = spec;
      this.embed();
    }
  }

  /** The rows of the tables that no step changes, by name. */
  stillTables() {
    const { figure } = this;
    const names = Object.keys(figure.tables).filter((name) => !(name in figure.moving));
    return Object.fromEntries(names.map((name) => [name, figure.rows(name)]));
  }

  /** Draw the figure anew, once its element has a width. */
  async embed() {
    if (this.isEmbedding || this.element.clientWidth < NARROW) return;
    this.isEmbedding = true;
    await typefaceOf(this.figure.spec);
    const embedding = inTurn(() => this.embedNow());
    const embedded = await embedding.finally(() => { this.isEmbedding = false; });
    if (this.isRemoved) return;
    if (embedded.spec !== this.spec) return this.embed();
    if (embedded.figure !== this.figure) return this.draw(this.figure, this.waiting);
    this.fit();
    if (this.isBehind) this.refresh();
    else this.dispatchEvent(new Event("drawn"));
  }

  /** Returns what has been drawn, which may have been replaced meanwhile. */
  async embedNow() {
    if (this.isRemoved) return;
    const { figure, spec } = this;
    const tables = { ...this.stillTables(), ...this.waiting() };
    this.isBehind = this.hasNewTables = false;
    const datasets = {};
    for (const [name, rows] of Object.entries(tables)) datasets[name] = rows.map(copyOf);
    this.result?.finalize();
    this.view = undefined;
    this.corner = undefined;
    this.shown.clear();
    this.width = this.element.clientWidth;
    const tooltip = (_handler, _event, _item, said) => this.onTooltip?.(said);
    const options = { ...OPTIONS, tooltip };
    this.result = await vegaEmbed(this.plot, { ...figure.spec, datasets }, options);
    if (this.isRemoved) return this.result.finalize();
    this.view = this.result.view;
    const { vgSpec } = this.result;
    this.tables = new Set(vgSpec.data.map(({ name }) => name));
    this.lines = marksOfLines(vgSpec);
    this.changeset = changesetOf(this.view, vgSpec.data[0].name);
    this.view.addEventListener("click", (event, item) => this.onClick?.(event, item));
    return { figure, spec };
  }

  /**
   * Show the tables that a function makes, which is called once the figure is in sight, or nothing
   * has changed for a while: the page may be printed or read aloud.
   */
  show(makeRows) {
    this.waiting = makeRows;
    this.refresh();
  }

  refresh() {
    this.isBehind = true;
    clearTimeout(this.resting);
    if (this.isVisible) this.catchUp();
    else this.resting = setTimeout(() => this.catchUp(), REST);
  }

  catchUp() {
    if (!this.view || !this.isBehind) return;
    // all at once, and run: Vega forgets a change to a table at the next one before it has run
    const tables = { ...(this.hasNewTables && this.stillTables()), ...this.waiting() };
    for (const [name, rows] of Object.entries(tables)) this.setRows(name, rows);
    this.isBehind = this.hasNewTables = false;
    this.run();
  }

  run() {
    this.view.run();
    this.dispatchEvent(new Event("drawn"));
  }

  /**
   * Show other rows in a table. Of one that keeps its length, copies are changed, so that its marks
   * stay the same; otherwise the rows from the first that is another object are replaced.
   */
  setRows(name, rows) {
    if (!this.view || !this.tables.has(name)) return; // a table for readers only
    const before = this.shown.get(name);
    let same = 0;
    while (before && same < rows.length && rows[same] === before.rows[same]) same++;
    if (same === rows.length && same === before?.rows.length) return;
    const isPathMovingOn = same > 0 && this.lines.has(name);
    const changes = this.changeset();
    let copies;
    if (before?.rows.length !== rows.length || isPathMovingOn) {
      if (before?.copies) same = 0;
      changes.remove(before ? (before.copies ?? before.rows.slice(same)) : () => true);
      changes.insert(rows.slice(same));
    } else if (before.copies) {
      ({ copies } = before);
      before.rows = rows;
      if (!noteDifferences(copies, rows, same, changes)) return;
    } else {
      copies = rows.map(copyOf);
      changes.remove(before.rows).insert(copies);
    }
    this.shown.set(name, { rows, copies });
    this.view.change(name, changes);
    for (const mark of this.lines.get(name) ?? []) this.redrawLines(mark);
  }

  /** Draw lines again whose points have changed: Vega sees no change where style and place stay. */
  redrawLines(name) {
    const [group] = this.view.scenegraph().root.items;
    const mark = group.items.find((candidate) => candidate.name === name);
    for (const item of mark.items) this.view.dirty(item);
  }

  /** Follow the width of the element. */
  fit() {
    const width = this.element.clientWidth;
    if (width < NARROW) return;
    if (!this.view) this.embed();
    else if (width !== this.width) {
      this.width = width;
      this.corner = undefined;
      this.view.signal("width", width);
      this.run();
    }
  }

  seen({ isIntersecting }) {
    this.isVisible = isIntersecting;
    if (this.isVisible) this.catchUp();
  }

  /** The value on the x axis, which shows steps, at a mouse event. */
  stepAt(event) {
    return this.weightsAt(event)[0];
  }

  /** The values on both axes at a mouse event, given where the picture is. */
  weightsAt(event, box = this.pictureBox()) {
    const [left, top] = this.plotOrigin();
    const [x, y] = [event.clientX - box.left - left, event.clientY - box.top - top];
    return [this.view.scale("x").invert(x), this.view.scale("y").invert(y)];
  }

  /** Where the picture is in the window, for which the browser may have to lay out the page. */
  pictureBox() {
    return this.element.querySelector("svg").getBoundingClientRect();
  }

  /** The upper left corner of the plot in the picture, in pixels. */
  plotOrigin() {
    const [left, top] = this.view.origin();
    const padding = this.view.padding();
    return [left + padding.left, top + padding.top];
  }

  /** The place of a point in the element, in pixels. */
  placeOf([w1, w2]) {
    this.corner ??= this.pictureCorner();
    const [left, top] = this.plotOrigin();
    return {
      x: this.corner.x + left + this.view.scale("x")(w1),
      y: this.corner.y + top + this.view.scale("y")(w2),
    };
  }

  /** The upper left corner of the picture in the element, which its size may move. */
  pictureCorner() {
    const picture = this.pictureBox();
    const box = this.element.getBoundingClientRect();
    return { x: picture.left - box.left, y: picture.top - box.top };
  }

  remove() {
    this.isRemoved = true;
    this.resizing.disconnect();
    this.sight.disconnect();
    clearTimeout(this.resting);
    this.result?.finalize();
    this.element.remove();
  }
}

/**
 * Wait for the typeface of a spec, but not for long: labels are measured when a figure is drawn,
 * and are cut off where they turn out to be wider.
 */
function typefaceOf({ config }) {
  const loaded = document.fonts.load(`13px ${config.font}`).catch(() => {});
  return Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
}

/**
 * Draw a figure when those that were asked for before are drawn. The browser shows each before the
 * next, so that the first is soon to be seen.
 */
function inTurn(draw) {
  const drawn = queue.then(draw);
  queue = drawn.catch(() => {}).then(() => new Promise((resolve) => setTimeout(resolve)));
  return drawn;
}

/** A row without the mark by which Vega knows those that it has, which a spread would copy. */
function copyOf(row) {
  return Object.fromEntries(Object.entries(row));
}

/** Note where other rows of a table differ from its copies, from an index on. */
function noteDifferences(copies, rows, first, changes) {
  let count = 0;
  for (let k = first; k < rows.length; k++) {
    for (const field in rows[k]) {
      if (copies[k][field] === rows[k][field]) continue;
      changes.modify(copies[k], field, rows[k][field]);
      count++;
    }
  }
  return count;
}

/** The names of the marks that draw the points of a table as lines, by the table. */
function marksOfLines({ data, marks }) {
  const sources = new Map(data.map(({ name, source }) => [name, source ?? name]));
  const names = new Map();
  for (const { type, name, from } of marks) {
    if (type !== "shape") continue;
    const table = sources.get(from.data);
    names.set(table, [...(names.get(table) ?? []), name]);
  }
  return names;
}

/** Vega's function `changeset`, which its bundle does not hand out: it makes what a view pulses. */
function changesetOf(view, table) {
  const pulse = (_input, changes) => changes.constructor;
  return Object.create(view, { pulse: { value: pulse } }).insert(table, []);
}
