"""How long the training in the browser takes, in Chromium: part of `make bench-live`.

A drag trains both sides at every frame. The other benchmarks of the live figure call
`training_times` with a page of their own."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from browsing import ARGUMENTS
from live_modules import DECODED, encoded, open_modules

from linreg.data.dataset import make_data
from linreg.quadratic.moments import batch_moments
from linreg.settings.model import Settings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.training.browser import browser_problems

RECORDED = 3_000  # steps that a path keeps, at most

# milliseconds of each repetition; a clock of the browser may tick no finer than 0.1 ms
MEASURE = f"""async ({{problems, arrays, recordEvery, repeat, inner}}) => {{
  {DECODED}
  const {{ problemOf }} = await import("./problem.js");
  const {{ createPath, train }} = await import("./trainer.js");
  const found = arrays.map(decoded);
  const sides = problems.map(sent => problemOf(sent, found));
  const paths = sides.map(problem => createPath(problem, recordEvery));
  const took = [];
  for (let k = 0; k < repeat; k++) {{
    const began = performance.now();
    for (let j = 0; j < inner; j++)
      sides.forEach((problem, i) =>
        train(problem, paths[i], problem.init.map(w => w + 1e-3 * k), problem.lr));
    took.push((performance.now() - began) / inner);
  }}
  return took;
}}"""

BETWEEN = f"""async ({{columns, batchSize, origin, repeat}}) => {{
  {DECODED}
  const {{ batchCount, batchMoments, meanOf, mix }} = await import("./moments.js");
  const {{ minimum }} = await import("./surface.js");
  const [x1, x2, y] = columns.map(decoded);
  const rows = {{ x1, x2, y, order: null }};
  const o = Float64Array.from(origin);
  const size = 6 * batchCount(rows, batchSize);
  const [matched, broadcast, mixed] = [1, 2, 3].map(() => new Float64Array(size));
  const took = [];
  for (let k = 0; k < repeat; k++) {{
    const began = performance.now();
    batchMoments(rows, batchSize, false, o, matched);
    batchMoments(rows, batchSize, true, o, broadcast);
    mix(matched, broadcast, k / repeat, mixed);
    minimum({{ row: meanOf(mixed, 6), origin: o }});
    took.push(performance.now() - began);
  }}
  return took;
}}"""


def training_times(page, settings, repeat=40, inner=1):
    """Milliseconds of one training of both sides, for each of `repeat` times, and the bytes sent.

    The page is one of `open_modules`. No times if there is too much to send."""
    sides = [settings, replace(settings, wiring="squeeze")]
    table = make_data(settings.data)
    sent = browser_problems(table, sides, lambda side: batch_moments(table, side))
    arrays = [encoded(array) for array in sent.arrays]
    given = {"problems": list(sent.problems), "arrays": arrays, "inner": inner, "repeat": repeat}
    every = -(-settings.steps // RECORDED)
    took = page.evaluate(MEASURE, {**given, "recordEvery": every}) if sent.live else []
    return took, sent.nbytes


def mixing_times(page, settings, repeat=40):
    """Milliseconds to compute the moments of all batches and the minimum between both losses."""
    table = make_data(settings.data)
    return page.evaluate(
        BETWEEN,
        {
            "columns": [encoded(column.copy()) for column in (*table.X.T, table.y)],
            "batchSize": settings.batch_size,
            "origin": batch_moments(table, settings).origin.tolist(),
            "repeat": repeat,
        },
    )


def line(name, took, more=""):
    if not took:
        print(f"{name:42s} too much to send{more}")
        return
    middle = sorted(took)[len(took) // 2]
    late = sorted(took)[int(0.95 * len(took))]
    print(f"{name:42s} {middle:8.2f} ms, p95 {late:6.2f}, least {min(took):6.2f}{more}")


def main():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = browser.new_page()
        open_modules(page)
        for name, entry in OPTIMIZERS.items():
            own = {"optimizer": name, "momentum": 0.9 * entry.needs_momentum}
            rate = 1e-6 if entry.torch_name == "SGD" else 0.01
            short = Settings(lr=rate, **own)
            took, size = training_times(page, short, inner=10)
            line(f"{name}, both sides, {short.steps:,} steps", took, f", {size:,} bytes")
            long = replace(short, batch_size=1)
            took, size = training_times(page, long)
            line(f"{name}, both sides, {long.steps:,} steps", took, f", {size:,} bytes")
        for size in (100, 1):
            settings = Settings(batch_size=size)
            line(f"moments and minimum, batch size {size}", mixing_times(page, settings))
        browser.close()


if __name__ == "__main__":
    main()
