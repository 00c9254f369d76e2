/** A figure on the screen: its Vega view, which is kept while the spec stays the same. */

import { vegaEmbed } from "./vega_bundle.js";

const OPTIONS = {
  actions: false,
  renderer: "svg",
  defaultStyle: false,
  logLevel: 1, // errors
};
const NARROW = 40; // pixels; what is narrower is hidden

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
    this.shown = new Map(); // table -> its `rows`, and the view's copies, where these are known
    this.isVisible = true;
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this.element);
    this.sight = new IntersectionObserver(([entry]) => this.seen(entry.isIntersecting));
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
      for (const name of this.stillTables()) this.setRows(name, figure.rows(name));
      this.refresh();
    } else {
      this.spec = spec;
      this.embed();
    }
  }

  /** The names of the tables that no step changes. */
  stillTables() {
    return Object.keys(this.figure.tables).filter((name) => !(name in this.figure.moving));
  }

  /** Draw the figure anew, once its element has a width. */
  async embed() {
    if (this.isEmbedding || this.element.clientWidth < NARROW) return;
    this.isEmbedding = true;
    const { figure, spec } = this;
    const tables = this.waiting();
    for (const name of this.stillTables()) tables[name] = figure.rows(name);
    const datasets = {}; // copies: Vega marks the rows that it has
    for (const [name, rows] of Object.entries(tables)) {
      datasets[name] = rows.map((row) => Object.fromEntries(Object.entries(row)));
    }
    this.result?.finalize();
    this.view = undefined;
    this.corner = undefined;
    this.shown.clear();
    this.width = this.element.clientWidth;
    const tooltip = (_handler, _event, _item, said) => this.onTooltip?.(said);
    const options = { ...OPTIONS, tooltip };
    this.result = await vegaEmbed(this.plot, { ...figure.spec, datasets }, options);
    this.isEmbedding = false;
    if (this.isRemoved) return this.result.finalize();
    this.view = this.result.view;
    const { vgSpec } = this.result;
    this.tables = new Set(vgSpec.data.map(({ name }) => name));
    this.lines = marksOfLines(vgSpec);
    this.changeset = changesetOf(this.view, vgSpec.data[0].name);
    this.view.addEventListener("click", (event, item) => this.onClick?.(event, item));
    if (spec !== this.spec) return this.embed();
    if (figure !== this.figure) return this.draw(this.figure, this.waiting);
    this.fit();
    this.dispatchEvent(new Event("drawn"));
  }

  /** Show the tables that a function makes, which is called once the figure is in sight. */
  show(makeRows) {
    this.waiting = makeRows;
    this.isBehind = true;
    this.refresh();
  }

  refresh() {
    if (!this.view || !this.isVisible) return;
    for (const [name, rows] of Object.entries(this.waiting())) this.setRows(name, rows);
    this.isBehind = false;
    this.run();
  }

  run() {
    this.view.run();
    this.dispatchEvent(new Event("drawn"));
  }

  /** Show other rows in a table: its copies are changed where there are as many. */
  setRows(name, rows) {
    if (!this.view || !this.tables.has(name)) return; // a table for readers only
    const before = this.shown.get(name);
    let same = 0;
    while (before && same < rows.length && rows[same] === before.rows[same]) same++;
    if (same === rows.length && same === before?.rows.length) return;
    const changes = this.changeset();
    if (before?.rows.length === rows.length) {
      before.rows = rows;
      if (!change(before.copies, rows, same, changes)) return;
    } else {
      const added = rows.slice(same).map((row) => ({ ...row }));
      changes.remove(before ? before.copies.splice(same) : () => true).insert(added);
      this.shown.set(name, { rows, copies: before ? before.copies.concat(added) : added });
    }
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

  seen(isVisible) {
    this.isVisible = isVisible;
    if (this.isBehind) this.refresh();
  }

  /** The value on the x axis, which shows steps, at a mouse event. */
  stepAt(event) {
    return this.weightsAt(event)[0];
  }

  /** The values on both axes at a mouse event. */
  weightsAt(event) {
    const box = this.element.querySelector("svg").getBoundingClientRect();
    const [left, top] = this.plotOrigin();
    const [x, y] = [event.clientX - box.left - left, event.clientY - box.top - top];
    return [this.view.scale("x").invert(x), this.view.scale("y").invert(y)];
  }

  /** The upper left corner of the plot in the picture, in pixels. */
  plotOrigin() {
    const [left, top] = this.view.origin();
    const padding = this.view.padding();
    return [left + padding.left, top + padding.top];
  }

  /** The place of a point in the element, in pixels. */
  placeOf([w1, w2]) {
    this.corner ??= this.pictureCorner(); // which would make the browser lay out the page
    const [left, top] = this.plotOrigin();
    return {
      x: this.corner.x + left + this.view.scale("x")(w1),
      y: this.corner.y + top + this.view.scale("y")(w2),
    };
  }

  /** The upper left corner of the picture in the element, which its size may move. */
  pictureCorner() {
    const picture = this.element.querySelector("svg").getBoundingClientRect();
    const box = this.element.getBoundingClientRect();
    return { x: picture.left - box.left, y: picture.top - box.top };
  }

  remove() {
    this.isRemoved = true;
    this.resizing.disconnect();
    this.sight.disconnect();
    this.result?.finalize();
    this.element.remove();
  }
}

/**
 * Give the copies of a table from an index on the values of other rows, and note the fields that
 * have changed. Whether there are any.
 */
function change(copies, rows, first, changes) {
  const fields = new Set();
  for (let k = first; k < rows.length; k++) {
    const [copy, row] = [copies[k], rows[k]];
    for (const field in row) {
      if (copy[field] === row[field]) continue;
      copy[field] = row[field];
      fields.add(field);
    }
  }
  for (const field of fields) changes.modify(copies[first], field, copies[first][field]);
  changes.reflow(); // all rows count as changed
  return fields.size > 0;
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
