/**
 * The tables of a figure at a step of the replay, as the functions of `linreg/figures/` make them.
 *
 * A rule is a function (figure, runs, step, options) => rows. `figure.moving` names one for each
 * table that moves, with its options. Rows that do not change come first and keep their identity,
 * so that a view gets only the difference.
 */

import { count, point, r2Text } from "./numbers.js";
import { rowsOf } from "./payload.js";
import { RETRAINED } from "./retrained.js";
import { upTo } from "./runs.js";
import { value } from "./surface.js";

/** A figure's tables, its rules, and what the rules work out once for all steps. */
export class Figure {
  constructor({ spec, tables, moving, retrained, hover, label, alt }, runsDigest) {
    Object.assign(this, { spec, tables, moving, retrained, hover, label, alt, runsDigest });
    this.kept = new Map(); // by name, what is made once for the tables as sent
    this.keptOfRuns = new Map(); // and once for the runs
    this.retrainedRows = {}; // table -> its rows, of runs that the browser has trained
  }

  /** Whether it shows paths whose starting points can be dragged. */
  get isDraggable() {
    return "trail" in this.retrained;
  }

  /** Whether the note that its start can be dragged stands below the start, not above. */
  get invitesBelow() {
    return this.tables.frame.invitation[0] === "below";
  }

  /** A value that is made once for the tables as they were sent. */
  once(name, make) {
    return keptIn(this.kept, name, make);
  }

  /** A value that is made once for the runs. */
  onceForRuns(name, make) {
    return keptIn(this.keptOfRuns, name, make);
  }

  /** The rows of a table as it was sent, or as it is for other runs, at the end of these. */
  rows(name) {
    this.followRuns();
    const sent = () => this.once(`rows of ${name}`, () => rowsOf(this.tables[name]));
    return this.retrainedRows[name] ?? sent();
  }

  /** Whether weights lie inside the plot; false where one is not a number. */
  contains(w1, w2) {
    const [left, right, bottom, top] = this.domain;
    return w1 >= left && w1 <= right && w2 >= bottom && w2 <= top;
  }

  /** The range of w1, and of w2. */
  get domain() {
    const { frame } = this.tables;
    return this.once("domain", () =>
      ["w1 from", "w1 to", "w2 from", "w2 to"].map((name) => frame[name][0]),
    );
  }

  /** The rows of every table that moves as they were sent, by its name. */
  rowsAtEnd() {
    return Object.fromEntries(Object.keys(this.moving).map((table) => [table, this.rows(table)]));
  }

  /** Take other runs; the tables that depend on them alone are computed when they are asked for. */
  retrain(runs) {
    this.keptOfRuns.clear();
    this.newRuns = runs;
  }

  followRuns() {
    if (!this.newRuns) return;
    const runs = this.newRuns;
    this.newRuns = undefined;
    for (const [table, { rule, ...options }] of Object.entries(this.retrained)) {
      this.retrainedRows[table] = RETRAINED[rule](this, runs, options);
    }
  }

  /** The rows of every table that moves at a step, by its name. */
  rowsAt(step, runs) {
    this.followRuns();
    const rows = { ...this.retrainedRows };
    for (const [table, { rule, ...options }] of Object.entries(this.moving)) {
      rows[table] = RULES[rule](this, runs, step, options);
    }
    return rows;
  }
}

function keptIn(kept, name, make) {
  if (!kept.has(name)) kept.set(name, make());
  return kept.get(name);
}

export const RULES = {
  step, path, paths, marks, points, position, losses, weights, predictions, r_squared,
};

// ---- curves against step ------------------------------------------------------------------------

/** Where the line at the shown step stands. */
function step(_figure, _runs, at) {
  return [{ step: at }];
}

/** The loss of each side; a log axis has no zero. */
function losses(_figure, runs, at) {
  return runs
    .filter((run) => run.losses.length)
    .map((run) => {
      const row = Math.min(run.rowAt(at), run.losses.length - 1);
      return { step: run.steps[row], loss: run.losses[row], side: run.label };
    })
    .filter((row) => row.loss > 0);
}

/** Each weight of each side. */
function weights(_figure, runs, at, { names }) {
  return runs.flatMap((run) => {
    const row = run.rowAt(at);
    return Array.from(run.weightsOf(row), (value, k) => ({
      step: run.steps[row],
      value,
      side: run.label,
      weight: names[k],
    }));
  });
}

// ---- surfaces -----------------------------------------------------------------------------------

/** The points of all whole paths up to a step, in the order of their steps. */
function paths(figure, _runs, at) {
  const { rows, steps } = figure.onceForRuns("whole paths", () => {
    const rows = figure.rows("trail").slice().sort((a, b) => a.step - b.step);
    return { rows, steps: rows.map((row) => row.step) };
  });
  return rows.slice(0, upTo(steps, at));
}

/** The path of a run up to a step, which may lie between two points of the simplified path. */
function path(figure, runs, at, { run }) {
  const shown = paths(figure, runs, at);
  const row = runs[run].rowAt(at);
  const [w1, w2] = runs[run].weightsOf(row);
  if (shown.length && at < runs[run].last && figure.contains(w1, w2)) {
    shown.push({ 0: w1, 1: w2, piece: shown.at(-1).piece });
  }
  return shown;
}

/** The marks that do not move, the start, and the place at a step. */
function marks(figure, runs, at, { run }) {
  const moving = runs[run];
  const row = moving.rowAt(at);
  const places = [
    ["start", moving.weightsOf(0)],
    [moving.steps[row] === moving.last ? "end" : "here", moving.weightsOf(row)],
  ];
  const drawn = places
    .filter(([, [w1, w2]]) => figure.contains(w1, w2))
    .map(([kind, [w1, w2]]) => ({ kind, w1, w2, label: "", dx: 0, dy: 0 }));
  const still = figure.once("still marks", () =>
    figure.rows("marks").filter(({ kind }) => !["start", "end", "here"].includes(kind)),
  );
  return [...still, ...drawn];
}

/** The place of every run of a side. */
function points(figure, runs, at, { label }) {
  return runs
    .filter((run) => run.label === label)
    .map((run) => {
      const [w1, w2] = run.weightsOf(run.rowAt(at));
      return { optimizer: run.optimizer, w1, w2 };
    })
    .filter(({ w1, w2 }) => figure.contains(w1, w2));
}

/** Where a path is, in words. */
function position(figure, runs, at, { run, words, evaluation }) {
  const moving = runs[run];
  const row = moving.rowAt(at);
  const [w1, w2] = moving.weightsOf(row);
  if (moving.divergedAt !== null && at >= moving.last) {
    if (!moving.isTrainedHere) return figure.rows("now"); // Python has every step
    const out = figure.onceForRuns("first step outside", () => firstOutside(figure, moving));
    const left = out === undefined ? "" : words.left.replace("{step}", count(out));
    return [{ text: left + words.diverged.replace("{step}", count(moving.divergedAt)) }];
  }
  const text = words[moving.steps[row] === moving.last ? "at its end" : "on its way"]
    .replace("{point}", point(moving.weightsOf(row)))
    .replace("{steps}", count(moving.steps[row]));
  const r2 = evaluation ? r2Text(rSquared(evaluation, moving.weightsOf(row))) : "";
  const quality = evaluation ? words["R²"].replace("{r2}", r2) : "";
  return [{ text: quality + text + (figure.contains(w1, w2) ? "" : words.outside) }];
}

/** The first recorded step at which a run is outside the plot, undefined where it never is. */
function firstOutside(figure, run) {
  return run.steps.find((_, row) => {
    const [w1, w2] = run.weightsOf(row);
    return !figure.contains(w1, w2);
  });
}

// ---- predictions --------------------------------------------------------------------------------

/** The points of both sides, the original's first: the prediction at a step of each row. */
function predictions(figure, runs, at) {
  const rows = figure.rows("points");
  const predicted = predictedAt(figure, runs, at);
  return rows.map(({ true: y, side, feature1, feature2 }, k) => { // faster than by `...row`
    return { true: y, predicted: predicted[k], side, feature1, feature2 };
  });
}

/** The predictions at a step of the rows of both sides: two tables ask for those of each step. */
function predictedAt(figure, runs, at) {
  const latest = figure.once("latest predictions", () => ({}));
  if (latest.runs !== runs || latest.at !== at) {
    Object.assign(latest, { runs, at, values: predictionsAt(figure, runs, at) });
  }
  return latest.values;
}

function predictionsAt(figure, runs, at) {
  const rows = figure.rows("points");
  const shown = rows.length / runs.length;
  const { offset: [offset], scale: [scale] } = figure.tables.frame; // of a standardised target
  return runs.flatMap((run, index) => {
    const [w1, w2, bias = 0] = run.weightsOf(run.rowAt(at));
    return rows
      .slice(index * shown, (index + 1) * shown)
      .map(({ feature1, feature2 }) => offset + scale * (feature1 * w1 + feature2 * w2 + bias));
  });
}

/** R² of both sides at a step, of all rows, and how many of the points are not drawn. */
function r_squared(figure, runs, at, { evaluation, words }) {
  const predicted = predictedAt(figure, runs, at);
  const { low: [low], high: [high] } = figure.tables.frame;
  const shown = predicted.length / runs.length;
  return runs.map((run, index) => {
    const own = predicted.slice(index * shown, (index + 1) * shown);
    const outside = own.filter((value) => !(value >= low && value <= high)).length;
    const those = outside === shown ? words.all : `${count(outside)} of ${count(shown)}`;
    const beyond = outside ? words.outside.replace("{count}", those) : "";
    const isDiverged = run.divergedAt !== null && at >= run.last;
    const state = isDiverged
      ? words.diverged.replace("{step}", count(run.divergedAt))
      : words.r2.replace("{r2}", r2Text(rSquared(evaluation, run.weightsOf(run.rowAt(at)))));
    return { side: run.label, index, text: `${run.label.toLowerCase()}: ${state}${beyond}` };
  });
}

/** 1 - loss / variance; NaN if the target is constant. */
function rSquared({ surface, variance }, weights) {
  return variance ? 1 - value(surface, weights) / variance : NaN;
}
