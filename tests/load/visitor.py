"""A browser as the server sees it: Streamlit's own messages over a websocket, every control as it
stands, every figure kept.

It does what Streamlit's page does: it holds the state of each control and sends all of them with
every change, reruns the fragment that a control lies in, follows its clock, keeps large messages
and says which, and takes the address that it gets."""

import asyncio
import hashlib
import json
import time
import urllib.request
from collections import OrderedDict
from dataclasses import dataclass, replace
from os.path import commonprefix
from urllib.parse import parse_qsl

import pyarrow as pa
from live_payload import unpacked
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

ENDED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
KEPT_MESSAGES = 60
QUIET_SECONDS = 0.05  # after a run in which no other begins


@dataclass(frozen=True)
class Where:
    """All that says what a page must show."""

    page: str
    query: tuple[tuple[str, str], ...]
    step: int | None
    theme: str
    stopped: bool  # a sweep that its visitor has stopped shows what is done


@dataclass(frozen=True)
class Received:
    """A figure as it came."""

    where: Where
    alt: str
    spec: str
    tables: tuple[tuple[str, bytes], ...]


class Failed(Exception):
    """What a visitor should never see."""


class Visitor:
    def __init__(self, address, name, theme="light", figures=None, files=None):
        self.address, self.name, self.theme = address, name, theme
        self.figures = (
            {} if figures is None else figures
        )  # digest -> Received; all visitors may share them
        self.files = [] if files is None else files  # (where, button, content)
        self.messages = OrderedDict()  # hash -> message, as a browser keeps them
        self.states, self.widgets, self.fragments, self.downloads = {}, {}, {}, {}
        self.page, self.query, self.pages, self.session = "", "", {}, ""
        self.drawn, self.live, self.waiting = [], [], {}
        self.received = self.runs = 0
        self.running, self.ended = False, asyncio.Event()
        self.rerun, self.shown, self.paths, self.path, self.placed = set(), {}, {}, (), []
        self.errors, self.bar = [], False  # whether the last run had a bar that fills
        self.stopped = False

    async def __aenter__(self):
        with urllib.request.urlopen(f"{self.address}/_stcore/health") as answer:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        host = self.address.removeprefix("http://")
        self.socket = await connect(
            f"ws://{host}/_stcore/stream", subprotocols=["streamlit"], max_size=None
        )
        self.reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        self.reader.cancel()
        await self.socket.close()

    # ---- what comes ------------------------------------------------------------------------------

    async def _read(self):
        try:
            await self._messages()
        except ConnectionClosed as error:
            self.errors.append(f"the connection was lost: {error}")
        except Exception as error:
            self.errors.append(f"the visitor itself failed: {error!r}")
            self.ended.set()
            raise

    async def _messages(self):
        async for data in self.socket:
            self.received += len(data)
            message = ForwardMsg.FromString(data)
            if message.WhichOneof("type") == "ref_hash":
                kept = self.messages.get(message.ref_hash)
                if kept is None:
                    self.errors.append(f"a message that was never sent: {message.ref_hash}")
                    continue
                whole = ForwardMsg()
                whole.CopyFrom(kept)
                whole.metadata.CopyFrom(message.metadata)
                message = whole
            elif message.metadata.cacheable:
                self.messages[message.hash] = message
            self._take(message)

    def _take(self, message):
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.running, self.drawn, self.live, self.shown, self.placed = True, [], [], {}, []
            self.rerun = set(message.metadata.run.fragment_ids)  # empty: all of the page
            self.session = message.new_session.initialize.session_id or self.session
            self.pages |= {
                page.url_pathname: page.page_script_hash for page in message.new_session.app_pages
            }
            self.pages[""] = message.new_session.main_script_hash
        elif kind == "navigation":
            self.pages |= {
                page.url_pathname: page.page_script_hash for page in message.navigation.app_pages
            }
        elif kind == "delta":
            self._draw(message.delta, tuple(message.metadata.delta_path))
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.errors.append("a page does not compile")
            if message.script_finished in ENDED:
                self._forget()
                self._keep_figures()
                self.runs += 1
                self.running = False
                self.ended.set()
        elif kind in ("backend_operation_response", "file_urls_response"):
            answer = getattr(message, kind)
            waiting = self.waiting.pop(
                getattr(answer, "request_id", "") or getattr(answer, "response_id", ""), None
            )
            if waiting:
                waiting.set_result(answer)
        elif (
            kind == "session_event"
            and message.session_event.WhichOneof("type") == "script_compilation_exception"
        ):
            self.errors.append(message.session_event.script_compilation_exception.message)

    def _forget(self):
        """Drop what stood where this run has drawn, and was not drawn again."""
        drawn = set(self.shown.values())
        inside = commonprefix(list(drawn)) if self.rerun and drawn else ()  # noqa: RUF071  # of tuples
        gone = {name for name, path in self.paths.items() if path[: len(inside)] == inside} - set(
            self.shown
        )
        self.paths = {
            name: path for name, path in (self.paths | self.shown).items() if name not in gone
        }
        self.states = {name: state for name, state in self.states.items() if name in self.paths}
        for known in (self.widgets, self.downloads):
            for key in [key for key, one in known.items() if _name(one) not in self.paths]:
                del known[key]
        for known, key, one in self.placed:
            if key not in known or _name(known[key]) == _name(one):
                known[key] = one
        while len(self.messages) > KEPT_MESSAGES:
            self.messages.popitem(last=False)

    def _draw(self, delta, path):
        self.path = path
        if delta.WhichOneof("type") == "add_block":
            block = delta.add_block
            if block.WhichOneof("type") in ("expandable", "popover"):
                one = getattr(block, block.WhichOneof("type"))
                if one.id:
                    self._widget("open", one.label, one, delta.fragment_id, bool_value=False)
            return
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        one = getattr(delta.new_element, kind) if kind else None
        if kind == "vega_lite_chart":
            self.drawn.append(one)
        elif kind == "bidi_component":
            if one.WhichOneof("data") == "json":
                self._place(self.widgets, ("live", "Replay"), one, delta.fragment_id)
            else:
                sent = unpacked(one.bytes)  # figures, or what the browser trains
                self.live += sent.get("figures", [])
                sliders = {"bar": "Wrong pairs", "weights": "Weights"}.get(sent.get("part"))
                if name := "Training" if "problems" in sent else sliders:
                    self._place(self.widgets, ("live", name), one, delta.fragment_id)
        elif kind == "progress":
            self.bar = True
        elif kind == "exception":
            self.errors.append(f"{self.page or 'home'}?{self.query}: {one.type}: {one.message}")
        elif kind == "number_input":
            name = "value" if one.set_value else "default"
            field, as_type = (
                ("int_value", int) if one.data_type == one.INT else ("double_value", float)
            )
            value = {field: as_type(getattr(one, name))} if one.HasField(name) else {}
            self._widget(kind, one.label, one, delta.fragment_id, **value)
        elif kind == "slider" and one.type == one.SELECT_SLIDER:
            default = [one.options[int(index)] for index in one.default]
            value = list(one.raw_value) if one.set_value else default
            self._widget(kind, one.label, one, delta.fragment_id, string_array_value=value)
        elif kind == "slider":
            value = list(one.value if one.set_value else one.default)
            self._widget(kind, one.label, one, delta.fragment_id, double_array_value=value)
        elif kind == "selectbox":
            chosen = one.raw_value if one.HasField("raw_value") else ""
            if not one.set_value:
                chosen = one.options[one.default] if one.HasField("default") else ""
            self._widget(
                kind,
                one.label,
                one,
                delta.fragment_id,
                **{"string_value": chosen} if chosen else {},
            )
        elif kind in ("button_group", "multiselect"):
            options = (
                [option.content for option in one.options]
                if kind == "button_group"
                else list(one.options)
            )
            value = (
                list(one.raw_values) if one.set_value else [options[index] for index in one.default]
            )
            self._widget(kind, one.label, one, delta.fragment_id, string_array_value=value)
        elif kind == "checkbox":
            self._widget(
                kind,
                one.label,
                one,
                delta.fragment_id,
                bool_value=one.value if one.set_value else one.default,
            )
        elif kind == "text_input":
            self._widget(
                kind,
                one.label,
                one,
                delta.fragment_id,
                string_value=one.value if one.set_value else one.default,
            )
        elif kind in ("button", "file_uploader", "page_link"):
            self._place(self.widgets, (kind, one.label), one, delta.fragment_id)
        elif kind == "download_button":
            self._place(self.downloads, one.label, one, delta.fragment_id)

    def _widget(self, kind, label, one, fragment, **value):
        self._place(self.widgets, (kind, label), one, fragment)
        if one.id not in self.states or getattr(one, "set_value", False):
            self.states[one.id] = _state(one.id, **value)

    def _place(self, known, key, one, fragment):
        """The first of its name on the page, as it stands now."""
        name = _name(one)
        self.placed.append((known, key, one))
        known.setdefault(key, one)  # until the run has ended
        self.fragments[name], self.shown[name] = fragment, self.path

    def _keep_figures(self):
        where = self._where()
        for chart in self.drawn:
            tables = tuple(sorted((each.name, each.data.data) for each in chart.datasets))
            self._keep(Received(where, chart.alt, chart.spec, tables))
        at_the_end = replace(where, step=None)  # live figures come so, whatever step they show
        for figure in self.live:
            tables = tuple(sorted((name, _ipc(table)) for name, table in figure["tables"].items()))
            spec = json.dumps(figure["spec"])
            self._keep(Received(at_the_end, figure["label"], spec, tables))

    def _keep(self, received):
        digest = hashlib.sha256(repr((received.where, received.alt, received.spec)).encode())
        for name, data in received.tables:
            digest.update(name.encode() + data)
        self.figures.setdefault(digest.digest(), received)

    def _where(self):
        query = tuple(sorted(parse_qsl(self.query, keep_blank_values=True)))
        step = dict(query).get("step")
        return Where(self.page, query, int(step) if step else None, self.theme, self.stopped)

    # ---- what goes -------------------------------------------------------------------------------

    async def run(self, page=None, query=None, fragment="", changed=(), timeout=120.0):
        """Ask for a run and wait until the server has nothing more to say. Returns its seconds."""
        if page is not None and page != self.page:
            self.page = page
            self.states, self.widgets, self.fragments, self.downloads, self.paths = (
                {},
                {},
                {},
                {},
                {},
            )
            self.stopped = False
        if query is not None:
            self.query = query
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.fragment_id = self.query, fragment or ""
        asked.page_script_hash = self.pages.get(self.page, "")
        if not asked.page_script_hash:
            asked.page_name = self.page
        held = {**self.states, **{state.id: state for state in changed}}
        asked.widget_states.widgets.extend(held.values())
        self.states |= {
            state.id: state
            for state in changed
            if state.WhichOneof("value") not in ("trigger_value", "json_trigger_value")
        }
        asked.cached_message_hashes.extend(self.messages)
        asked.context_info.color_scheme = self.theme
        asked.context_info.url = f"{self.address}/{self.page}"
        self.bar = False
        started, self.running = time.perf_counter(), True
        self.ended.clear()
        await self.socket.send(message.SerializeToString())
        return await self._quiet(started, timeout)

    async def _quiet(self, started, timeout):
        while True:
            left = timeout - (time.perf_counter() - started)
            try:
                await asyncio.wait_for(self.ended.wait(), max(left, 0.01))
            except TimeoutError:
                raise Failed(
                    f"no answer in {timeout:.0f} s: {self.page or 'home'}?{self.query}"
                ) from None
            done = time.perf_counter()
            self.ended.clear()
            await asyncio.sleep(QUIET_SECONDS)
            if not self.running and not self.ended.is_set():
                return done - started

    async def change(self, kind, label, **value):
        """Give a control another value."""
        one = self.widgets[kind, label]
        return await self.run(fragment=self.fragments[one.id], changed=[_state(one.id, **value)])

    async def step(self, share):
        """Let go of the replay's slider at a share of its length; the browser plays by itself."""
        one = self.widgets["live", "Replay"]
        return await self._tell(one, "step", {"step": round(share * json.loads(one.json)["last"])})

    async def drag(self, by):
        """Let go of the first starting point, moved by so much; the browser trains by itself until
        then."""
        one = self.widgets["live", "Training"]
        starts = [list(start) for start in unpacked(one.bytes)["settings"]["starts"]]
        starts[0] = [round(float(w) + change, 3) for w, change in zip(starts[0], by, strict=True)]
        return await self._tell(one, "release", {"starts": starts})

    async def move(self, sliders, **values):
        """Let go of a slider of the cause; the browser moves the figures by itself until then."""
        return await self._tell(self.widgets["live", sliders], "move", values)

    async def _tell(self, one, event, value):
        """Send what a live element tells the server."""
        trigger = _state(f"$$STREAMLIT_INTERNAL_KEY_{one.id}__events")
        trigger.json_trigger_value = json.dumps([{"event": event, "value": value}])
        return await self.run(fragment=self.fragments[one.id], changed=[trigger])

    async def press(self, label, timeout=120.0):
        """Press a button, if need be while the page is at work."""
        one = self.widgets["button", label]
        return await self.run(
            fragment=self.fragments[one.id],
            changed=[_state(one.id, trigger_value=True)],
            timeout=timeout,
        )

    def has(self, kind, label):
        """Whether there is such a control, and it can be used."""
        one = self.widgets.get((kind, label))
        return one is not None and not getattr(one, "disabled", False)

    async def download(self, label):
        """Press a download button and read the file."""
        answer = await self._ask(deferred_file=self.downloads[label].deferred_file_id)
        if answer.error_msg:
            raise Failed(f"{label}: {answer.error_msg}")
        url = f"{self.address}{answer.deferred_file.url}"
        content = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=60).read())
        self.files.append((self._where(), label, content))
        return content

    async def upload(self, name, content):
        """Give a file to the page's uploader. Returns the seconds until its table is shown."""
        one = next(one for (kind, _), one in self.widgets.items() if kind == "file_uploader")
        answer = await self._ask(file_names=[name])
        urls = answer.file_urls[0]
        await asyncio.to_thread(self._put, urls.upload_url, name, content)
        state = WidgetState(id=one.id)
        info = state.file_uploader_state_value.uploaded_file_info.add()
        info.name, info.size, info.file_id = name, len(content), urls.file_id
        info.file_urls.CopyFrom(urls)
        return await self.run(fragment=self.fragments[one.id], changed=[state])

    def _put(self, path, name, content):
        edge = "visitor"
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        ).encode()
        body = head + content + f"\r\n--{edge}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={edge}",
            "Cookie": self.cookie,
            "X-Xsrftoken": self.cookie.partition("=")[2],
        }
        request = urllib.request.Request(f"{self.address}{path}", body, headers, method="PUT")
        urllib.request.urlopen(request, timeout=60).read()

    async def _ask(self, deferred_file=None, file_names=None):
        message, name = BackMsg(), f"{self.name}-{time.perf_counter_ns()}"
        if deferred_file is not None:
            request = message.backend_operation_request
            request.deferred_file.file_id = deferred_file
        else:
            request = message.file_urls_request
            request.file_names.extend(file_names)
        request.request_id, request.session_id = name, self.session
        self.waiting[name] = asyncio.get_running_loop().create_future()
        await self.socket.send(message.SerializeToString())
        return await asyncio.wait_for(self.waiting[name], 60)


def _ipc(columns):
    """A table of a live figure as Arrow, without the steps by which the browser cuts a path."""
    by = {name: column for name, column in columns.items() if name != "step" or "0" not in columns}
    table, sink = pa.table(by), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _name(one):
    return getattr(one, "id", "") or getattr(one, "page", "")


def _state(name, **value):
    state = WidgetState(id=name)
    for field, content in value.items():
        if field.endswith("_array_value"):
            getattr(state, field).data.extend(content)
            getattr(state, field).SetInParent()
        else:
            setattr(state, field, content)
    return state
