"""Twenty visitors for two minutes, and what they find: `make load [VISITORS=20] [SECONDS=120]`.

They wander through all pages, change controls, replay, drag, sweep, upload and take figures along,
as browsers do, over websockets. Then most leave, and two come who ask for as much as one visitor
can: a long sweep, and a training of 600,000 steps, while the others go on; at the end one leaves
and one presses Stop. Every figure and file that anybody received is compared with what the library
makes of the same address. Exits with 1 where something is wrong, or a control is not there."""

import argparse
import asyncio
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[2]),
]
from chromium import drag_in_chromium  # noqa: E402
from served import Server  # noqa: E402
from visitor import Failed, Visitor  # noqa: E402

from linreg.settings.pages import MENU  # noqa: E402

MOST_MEGABYTES = 690  # what Streamlit Community Cloud guarantees
BESIDE = 8  # of the visitors, who stay while two ask for much
THINK = (3.0, 12.0)  # seconds from an answer to the next action
SETTLE_SECONDS = 75  # after the last visitor has gone; the renderer ends after 15
PAGES = ["" if name == "comparison" else name for name in MENU]


# ---- what a visitor does -------------------------------------------------------------------------


def change(kind, label, value):
    """An action: another value for a control; `value` makes it from a random generator and the
    control itself."""

    async def act(visitor, dice):
        given = value(dice, visitor.widgets[kind, label])
        return f"{visitor.page or 'home'}: {label}", await visitor.change(kind, label, **given)

    act.needs = (kind, label)
    return act


def number(label, *values):
    return change("number_input", label, lambda dice, one: {_field(one): dice.choice(values)})


def _field(one):
    return "int_value" if one.data_type == one.INT else "double_value"


def option(label):
    return change(
        "selectbox", label, lambda dice, one: {"string_value": dice.choice(list(one.options))}
    )


def buttons(label):
    return change(
        "button_group",
        label,
        lambda dice, one: {"string_array_value": [dice.choice([o.content for o in one.options])]},
    )


def slide(label):
    def value(dice, one):
        steps = round((one.max - one.min) / one.step)
        return {
            "double_array_value": [
                min(round(one.min + dice.randint(0, steps) * one.step, 9), one.max)
            ]
        }

    return change("slider", label, value)


def toggle(label):
    return change("checkbox", label, lambda dice, _: {"bool_value": dice.random() < 0.5})


def text(label, *values):
    return change("text_input", label, lambda dice, _: {"string_value": dice.choice(values)})


async def replay(visitor, dice):
    """Play and pause: the browser plays by itself, and says where it stops."""
    await asyncio.sleep(dice.uniform(2, 9))
    return f"{visitor.page or 'home'}: replay", await visitor.step(dice.random())


async def scrub(visitor, dice):
    return f"{visitor.page or 'home'}: step", await visitor.step(dice.random())


replay.needs = scrub.needs = ("live", "Replay")


async def drag(visitor, dice):
    """Drag a starting point: the browser trains by itself, and says where it was let go."""
    await asyncio.sleep(dice.uniform(1, 4))
    by = dice.gauss(0, 1), dice.gauss(0, 1)
    return f"{visitor.page or 'home'}: drag", await visitor.drag(by)


drag.needs = ("live", "Training")


async def fade(visitor, dice):
    """Move the share of the wrong pairs: the browser fades them in, and says where it stops."""
    await asyncio.sleep(dice.uniform(1, 4))
    seconds = await visitor.move("Wrong pairs", alpha=dice.choice([0, 0.25, 0.5, 1]))
    return "cause: wrong pairs", seconds


fade.needs = ("live", "Wrong pairs")


async def weigh(visitor, dice):
    seconds = await visitor.move("Weights", w1=dice.randint(-9, 9), w2=dice.randint(-9, 9))
    return "cause: weights", seconds


weigh.needs = ("live", "Weights")


async def save(visitor, dice):
    """Open the menu under a figure, take it along, and close the menu."""
    await visitor.change("open", "Save", bool_value=True)
    kinds = ["SVG", "PDF", "PNG, 300 dpi", "HTML", "CSV of the data"]
    started = time.perf_counter()
    await visitor.download(dice.choice(kinds))
    seconds = time.perf_counter() - started
    await visitor.change("open", "Save", bool_value=False)
    return "a figure as a file", seconds


save.needs = ("open", "Save")


async def look(visitor, _):
    await visitor.change("open", "Data as a table", bool_value=True)
    return "data as a table", await visitor.change("open", "Data as a table", bool_value=False)


look.needs = ("open", "Data as a table")


def upload_content(index):
    """A table of a visitor's own."""
    dice = random.Random(index)
    rows = [(dice.gauss(0, 1), dice.gauss(5, 2)) for _ in range(300)]
    lines = [f"{a:.4f},{b:.4f},{2 * a - b + dice.gauss(0, 1):.4f}" for a, b in rows]
    return f"own{index}.csv", "\n".join(["width,height,price", *lines]).encode()


async def upload(visitor, dice):
    index = dice.randrange(5)
    return "upload", await visitor.upload(*upload_content(index))


upload.needs = ("file_uploader", "A CSV or Parquet file of your own")
RUN = [
    number("Seed", *range(30)),
    number("Learning rate", 0.003, 0.005, 0.01, 0.02, 0.05),
    number("Batch size", 50, 100, 200, 500),
    option("Optimizer"),
    option("Preset"),
]
DO = {
    "": [
        *RUN, *RUN, scrub, scrub, replay, drag, drag, save, look,
        toggle("Bias"),
    ],
    "cause": [
        number("Matrix rows", 2, 4, 8, 12),
        number("Batch size of the comparison", 50, 100, 200), fade, fade, weigh, save, look,
    ],
    "claims": [number("Random data sets (seeds)", 20, 50, 100, 150, 200), save],
    "surface": [
        buttons("Show"), buttons("Surfaces"), number("Starts in a ring", 3, 4, 5, 6),
        number("Radius of the ring", 2, 3, 6), slide("Correlation of the features"),
        toggle("Gradient arrows"), buttons("Learning rates"), *RUN[:2],
        scrub, replay, drag, save, look,
    ],
    "sweep": [
        option("Colour shows"), option("Colour shows"), option("y axis"), number("Seed", *range(4)),
        number("Noise", 0, 1, 5), save,
    ],
    "your_data": [
        option("Table"), option("Feature 1"), option("Feature 2"),
        toggle("Standardise the features"), toggle("Shuffle the rows"), toggle("With a bias"),
        toggle("Apply to all pages"), upload, scrub, save,
    ],
    "your_code": [
        text("Shape of the prediction", "(100, 1)", "(64, 3)", "(8, 1, 4)", "[32]"),
        text("Shape of the target", "(100,)", "(64,)", "(8, 4)"), option("Loss"), save,
    ],
}  # fmt: skip


class Crowd:
    """All visitors, and what they have met."""

    def __init__(self, address):
        self.address = address
        self.figures, self.files, self.errors = {}, [], []
        self.seconds = defaultdict(list)  # phase -> [(what, seconds)]
        self.phase, self.over, self.fewer = "", asyncio.Event(), asyncio.Event()
        self.opened, self.met = set(), set()  # pages, and controls on them

    async def wander(self, index, over):
        """One visitor, until it is over for them."""
        dice = random.Random(index)
        theme = "dark" if index % 3 == 2 else "light"
        try:
            async with Visitor(
                self.address, f"v{index}", theme, self.figures, self.files
            ) as visitor:
                await asyncio.sleep(dice.uniform(0, THINK[1]))
                while not over.is_set():
                    await self._page(visitor, dice, over)
                self.errors += visitor.errors
        except (Failed, OSError) as error:
            self.errors.append(f"visitor {index}: {error}")

    async def _page(self, visitor, dice, over):
        page = dice.choice([one for one in PAGES if one != visitor.page or not visitor.runs])
        self._note(f"{page or 'home'}: open", await visitor.run(page, ""), visitor.bar)
        for _ in range(dice.randint(2, 6)):
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), dice.uniform(*THINK))
            if over.is_set():
                return
            await self._act(visitor, dice)

    def never_met(self):
        """Controls that the visitors looked for on a page, and that nobody ever found there."""
        sought = {(page, act.needs) for page in self.opened for act in DO[page]}
        return [f"{page or 'home'} has no {' '.join(needs)}" for page, needs in sought - self.met]

    async def _act(self, visitor, dice):
        self.opened.add(visitor.page)
        self.met |= {(visitor.page, known) for known in visitor.widgets}
        if visitor.has("button", "Go on"):
            return
        possible = [act for act in DO[visitor.page] if visitor.has(*act.needs)]
        if train := train_button(visitor):
            self._note("home: Train", await visitor.press(train), visitor.bar)
        elif possible:
            self._note(*await dice.choice(possible)(visitor, dice), visitor.bar)

    def _note(self, what, seconds, bar):
        self.seconds[self.phase].append((what, seconds, bar))


# ---- the server ----------------------------------------------------------------------------------


def tree(process):
    """A process and all that it has started."""
    found = [process]
    for one in found:
        try:
            found += [
                int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()
            ]
            for thread in Path(f"/proc/{one}/task").iterdir():
                children = (thread / "children").read_text().split()
                found += [int(child) for child in children if int(child) not in found]
        except OSError:
            continue
    return list(dict.fromkeys(found))


def megabytes(process):
    """Memory of a process and of its children, shared pages counted once (proportional set
    size)."""
    found = []
    for one in tree(process):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        found.append(sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024)
    return found


def own_seconds(process):
    return cpu_seconds(process, [process])


def cpu_seconds(process, of=None):
    """Processor time of a process and all that it has started."""
    total = 0
    for one in of or tree(process):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class Memory:
    """The server's memory, looked at once a second."""

    def __init__(self, process):
        self.process, self.peak, self.now, self.parts = process, 0.0, 0.0, []

    async def watch(self):
        while True:
            parts = await asyncio.to_thread(megabytes, self.process)
            self.now = sum(parts)
            if self.now > self.peak:
                self.peak, self.parts = self.now, parts
            await asyncio.sleep(1)


async def greedy_sweep(address):
    """As long a sweep as a visitor can ask for."""
    async with Visitor(address, "sweep") as visitor:
        await visitor.run("sweep", "columns=80&rows=40&inits=200&steps=100000")
        await visitor.press("Run them", timeout=1e6)


async def greedy_training(address, over):
    """Batches of one for the thread's 30 epochs, on both sides, until it is stopped.

    That is 600,000 steps of PyTorch."""
    async with Visitor(address, "training") as visitor:
        await visitor.run("", "batch_size=1")
        training = asyncio.create_task(visitor.press(train_button(visitor), timeout=1e6))
        await over.wait()
        if training.done():
            raise Failed("600,000 steps are over already")
        await visitor.press("Stop the training")
        training.cancel()
        if not train_button(visitor):
            raise Failed("a training that was stopped cannot be begun again")


def train_button(visitor):
    """The label of the button that starts a long training, if there is one."""
    return next(
        (
            label
            for kind, label in visitor.widgets
            if kind == "button" and label.startswith("Train ")
        ),
        "",
    )


# ---- the run -------------------------------------------------------------------------------------


def p95(values):
    return sorted(values)[max(-(-95 * len(values) // 100) - 1, 0)]


def row(name, seconds):
    middle, high, most = (
        1e3 * value for value in (statistics.median(seconds), p95(seconds), max(seconds))
    )
    return f"| {name} | {len(seconds)} | {middle:.0f} | {high:.0f} | {most:.0f} |"


def report(noted):
    """Everything and then each page and action, as a table; the 95th percentile of changes of
    controls.

    Where a change asks for a training or a sweep, a bar tells how far it is: those stand in a row
    of their own."""
    print("| | times | median, ms | p95, ms | most, ms |\n|---|---|---|---|---|")
    kinds = defaultdict(list)
    for what, seconds, bar in noted:
        kinds[what].append(seconds)
        if not what.endswith((": open", "as a file")):
            kinds["**a change that trains or sweeps**" if bar else "**a control's change**"].append(
                seconds
            )
    for what in sorted(kinds):
        print(row(what, kinds[what]))
    return p95(kinds["**a control's change**"])


async def main(visitors, seconds):
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # the server writes until the end
    server = Server(log)
    process = server.process.pid
    try:
        memory, crowd = Memory(process), Crowd(server.url)
        watching = asyncio.create_task(memory.watch())
        async with Visitor(
            server.url, "first"
        ) as visitor:  # the first visit loads PyTorch and starts the compiler
            await visitor.run("", "")
            await visitor.run("claims", "")
        await asyncio.sleep(15)
        print(
            f"{visitors} visitors, {seconds:.0f} s, on {os.cpu_count()} cores that the visitors"
            " share",
            flush=True,
        )
        print(f"memory before: {memory.now:.0f} MB", flush=True)
        ends = [crowd.over if index < BESIDE else crowd.fewer for index in range(visitors)]
        tasks = [asyncio.create_task(crowd.wander(index, over)) for index, over in enumerate(ends)]
        crowd.phase = "wander"
        mouse = asyncio.create_task(drag_in_chromium(server.url, crowd.fewer))
        memory.peak = memory.now
        before = (
            cpu_seconds(process),
            cpu_seconds(process) - own_seconds(process),
            time.process_time(),
        )
        await asyncio.sleep(seconds / 2)
        half = memory.now
        await asyncio.sleep(seconds / 2)
        wandering_peak = memory.peak
        now = cpu_seconds(process), cpu_seconds(process) - own_seconds(process), time.process_time()
        used = [later - earlier for later, earlier in zip(now, before, strict=True)]
        crowd.phase = "fewer"
        crowd.fewer.set()
        drags = await mouse
        await asyncio.gather(*tasks[BESIDE:])
        crowd.phase = "beside"
        sweep = asyncio.create_task(greedy_sweep(server.url))
        training = asyncio.create_task(greedy_training(server.url, crowd.over))
        await asyncio.sleep(seconds / 2)
        crowd.over.set()
        crowd.phase = "over"
        await asyncio.gather(*tasks)
        if sweep.done():
            crowd.errors.append(f"the long sweep is over already: {sweep.exception()!r}")
        sweep.cancel()  # its visitor leaves; that of the training has pressed Stop
        found = await asyncio.gather(sweep, training, return_exceptions=True)
        if isinstance(found[1], Exception):
            crowd.errors.append(f"the long training: {found[1]!r}")
        left = time.perf_counter()
        busy = await idle(process)
        await asyncio.sleep(max(SETTLE_SECONDS - (time.perf_counter() - left), 0))
        after = sum(await asyncio.to_thread(megabytes, process))
        watching.cancel()
    finally:
        server.stop()
    print(f"\nWandering\n{len(crowd.seconds['wander'])} actions")
    report(crowd.seconds["wander"])
    print(f"\n{BESIDE} visitors beside a long sweep and 600,000 steps of PyTorch")
    beside = report(crowd.seconds["beside"])
    print(f"\none left and the other pressed Stop: their work had ended after {busy:.1f} s")
    print(f"Chromium dragged a starting point {drags[0]} times")
    crowd.errors += [*drags[1], *crowd.never_met()]
    parts = " + ".join(f"{part:.0f}" for part in memory.parts)
    print(
        f"memory, MB: at half time {half:.0f}, most while wandering {wandering_peak:.0f},", end=" "
    )
    print(
        f"most {memory.peak:.0f} ({parts}), {SETTLE_SECONDS} s after all have left {after:.0f}",
        flush=True,
    )
    print(
        f"processor, seconds while wandering: server {used[0]:.0f}, of it its children"
        f" {used[1]:.0f}; visitors {used[2]:.0f}"
    )
    wrong = compare(crowd)
    log.seek(0)
    said = log.read()
    traces = [
        f"the server: {trace}"
        for trace in re.findall(r"Traceback \(most.*:\n(?:(?:  .*)?\n)+.*", said)
    ]
    told = [
        f"the server: {line}"
        for line in re.findall(r"^\d{4}-\d\d-\d\d .*", said, re.M)
        if "server started" not in line
    ]
    problems = [*wrong, *crowd.errors, *traces, *told]
    print(
        f"errors: {len(crowd.errors) + len(traces) + len(told)}; wrong figures and files:"
        f" {len(wrong)}"
    )
    if memory.peak > MOST_MEGABYTES:
        problems.append(f"{memory.peak:.0f} MB are above {MOST_MEGABYTES} MB")
    if after > 1.1 * half:
        problems.append(
            f"{after:.0f} MB at the end are more than 10 % above the {half:.0f} MB at half time"
        )
    if beside > 1:
        problems.append(f"beside heavy work, 95 % of the changes take up to {beside:.1f} s")
    for problem in problems[:40]:
        print(f"  {problem}")
    return 1 if problems else 0


async def idle(process, quiet=2.0, share=0.2):
    """Seconds until the server uses no more than a fifth of a core."""
    started = time.perf_counter()
    while time.perf_counter() - started < 120:
        before, began = cpu_seconds(process), time.perf_counter()
        await asyncio.sleep(quiet)
        if cpu_seconds(process) - before < share * (time.perf_counter() - began):
            return began - started
    return time.perf_counter() - started


def compare(crowd):
    """What is not as the library makes it."""
    from expected import is_right, is_right_file

    from linreg.data.files import open_table
    from linreg.data.tables import register_table

    tables = [open_table(content, name) for name, content in map(upload_content, range(5))]
    for table in tables:
        register_table(table)
    received = sorted(
        crowd.figures.values(),
        key=lambda one: (one.where.page, one.where.query, one.where.step or 0),
    )
    print(f"comparing {len(received):,} different figures and {len(crowd.files)} files", flush=True)
    wrong, started = [], time.perf_counter()
    for one in received:
        if one.where.stopped:
            continue
        if not is_right(one):
            wrong.append(f"wrong: {one.where} {one.alt[:80]}")
    for where, button, content in crowd.files:
        if not is_right_file(where, button, content, crowd.address):
            wrong.append(f"wrong file: {where} {button}")
    print(f"compared in {time.perf_counter() - started:.0f} s")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.visitors, given.seconds)))
