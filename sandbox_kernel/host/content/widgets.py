"""Widgets: models that a kernel makes in the page, and keeps changing.

The page's code for sliders, boxes and labels shows text as text. A few models show HTML, load what
an address names, or let the page copy one model's value into another's; and a module that is
not ipywidgets' own may run whatever code its model brings. A model's type is what it was opened
with: as something else its values might not have been checked.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from sandbox_kernel.host.content.texts import plain_tex, printable, words
from sandbox_kernel.host.parts import Json

MAX_WIDGETS: Final = 10_000
"""Models of one kernel at a time: a thousand progress bars. A page with as many is slow already."""

MODEL_SIZE: Final = 1200
"""Bytes that are kept of a model, at most: its id and the names of its type."""

MAX_NAME: Final = 255
"""Characters of a model's name, of which JupyterLab and ipywidgets make 32 or 36."""

MODULES: Final = frozenset({"@jupyter-widgets/base", "@jupyter-widgets/controls", "@jupyter-widgets/output"})
"""Modules whose code is known to run nothing that a model brings."""

_KINDS: Final = words(
    "Accordion Audio BoundedFloatText BoundedIntText Box Button ButtonStyle Checkbox CheckboxStyle "
    "ColorPicker ColorsInput Combobox Controller ControllerAxis ControllerButton DOMWidget DatePicker "
    "Datetime DescriptionStyle DirectionalLink Dropdown FileUpload FloatLogSlider FloatProgress "
    "FloatRangeSlider FloatSlider FloatText FloatsInput GridBox HBox HTML HTMLMath HTMLMathStyle "
    "HTMLStyle Image IntProgress IntRangeSlider IntSlider IntText IntsInput Label LabelStyle Layout Link "
    "NaiveDatetime Output Password Play Progress ProgressStyle RadioButtons Select SelectMultiple "
    "SelectionRangeSlider SelectionSlider SliderStyle Stack Style Tab TagsInput Text TextStyle Textarea "
    "Time ToggleButton ToggleButtonStyle ToggleButtons ToggleButtonsStyle VBox Valid Video"
)
NAMES: Final = frozenset(kind + end for kind in _KINDS for end in ("Model", "View"))
"""Classes of theirs that ipywidgets uses. Not among them: the one that shows an error, as HTML."""

TARGET: Final = "jupyter.widget"

_HTML: Final = frozenset({"HTMLModel", "HTMLMathModel", "HTMLView", "HTMLMathView"})
_LABELS: Final = frozenset({"LabelModel", "LabelView"})
_LINKS: Final = frozenset({"LinkModel", "DirectionalLinkModel"})
_TYPE: Final = ("_model_module", "_model_name", "_view_module", "_view_name")
_VERSIONS: Final = ("model_module_version",)
_UPDATES: Final = ("update", "echo_update")
_UNSAFE: Final = frozenset({"__proto__", "constructor", "prototype"})
_LINKABLE: Final = frozenset(
    {"value", "index", "min", "max", "step", "disabled", "selected_index", "_interacting"}
)
"""What of a model the page may copy from another: where HTML cannot be (see `_may_link`)."""

_TEXTS: Final = words(
    "value description description_tooltip tooltip tooltips placeholder options _options_labels titles "
    "_titles allowed_tags outputs source target"
)
"""Traits that people read: any text. What else holds "<" ends up in an error message, shown as HTML."""

_LOADS: Final = ("url(", "image-set", "src(", "\\")
_ICON: Final = re.compile(r"[\w-]{0,64}")
_FORMATS: Final = words(
    "png jpeg jpg gif webp bmp mp3 mpeg wav x-wav ogg flac aac mp4 x-m4a webm quicktime x-matroska"
)
"""Of pictures and recordings. Their bytes become a file of the page's own origin, in which an SVG, opened
in a window of its own, would run its scripts; with `url` they would be an address."""

_HOUSE_CLASSES: Final = ("jp-", "lm-", "p-", "cm-", "bp")
"""Beginnings of the page's own classes, which make a dialogue, or what covers the page, of anything."""


class _Model(Struct, frozen=True):
    """A widget as it was opened."""

    type: Json
    refused: bool = False

    def is_one_of(self, names: frozenset[str]) -> bool:
        return not names.isdisjoint(self.type.values())

    @property
    def styles(self) -> bool:
        return str(self.type["_model_name"]).endswith(("StyleModel", "LayoutModel"))


_REFUSED: Final = _Model(dict.fromkeys(_TYPE), refused=True)

_STRANGER: Final = _Model({**dict.fromkeys(_TYPE), "_model_name": "HTMLModel"})
"""A model that a client made itself: nothing is known of it."""


class Widgets:
    """The models of one kernel."""

    def __init__(
        self, html: Callable[[str], str | None], output: Callable[[Any], Json | None], mode: str
    ) -> None:
        self._html = html
        self._output = output
        self._mode = mode
        self._models: dict[str, _Model] = {}

    def opened(self, content: Json) -> Json:
        """Return a comm_open: a harmless model, or a note in its place."""
        clean = {name: value for name, value in content.items() if name != "target_module"}
        if content.get("target_name") != TARGET:
            return clean if "target_module" in content else content
        data = content["data"]
        state = data.get("state", {})
        model = self._introduced(content["comm_id"], state)
        if model.refused:
            clean["data"] = {"state": self._note(state), "buffer_paths": []}
        else:
            clean["data"] = {"state": self._state(model, state), **self._paths(data)}
        return clean

    def told(self, content: Json) -> Json:
        """Return a comm_msg."""
        data = content.get("data")
        said = self._said(content["comm_id"], data) if isinstance(data, dict) else data
        return content if said is data else {**content, "data": said}

    def _said(self, comm_id: str, data: Json) -> Json:
        """Return what is said to a model, or to whatever else has a comm.

        The page looks at the method first, and then at the fields that belong to it. So nothing but
        these is passed on: what is beside them was not looked at here.
        """
        method = data.get("method")
        if method == "update_states":
            states = data.get("states")
            reported = self._reported(states) if isinstance(states, dict) else {}
            return {"method": method, "states": reported, **self._all_paths(data)}
        model = self._models.get(comm_id, _STRANGER)
        if model.refused:
            return {"method": "update", "state": {}, "buffer_paths": []}
        if method in _UPDATES and (model is not _STRANGER or "state" in data):
            state = data.get("state")
            clean = self._state(model, state) if isinstance(state, dict) else {}
            return {"method": method, "state": clean, **self._paths(data)}
        if model is _STRANGER:
            return data  # of another extension, or nothing that the page obeys
        return {"method": method, "content": data.get("content")} if method == "custom" else {}

    def closed(self, content: Json) -> Json:
        """Forget a model."""
        self._models.pop(content["comm_id"], None)
        return content

    def _introduced(self, comm_id: str, state: Json) -> _Model:
        """Return the model that is opened with this state; from then on it is of that type."""
        if len(comm_id) > MAX_NAME or (len(self._models) >= MAX_WIDGETS and comm_id not in self._models):
            return _REFUSED
        usable = comm_id not in self._models and self._is_known(state)
        model = _Model({name: state.get(name) for name in _TYPE}) if usable else _REFUSED
        self._models[comm_id] = model
        return model

    def _is_known(self, state: Json) -> bool:
        module, name, view_module, view_name = types = tuple(state.get(name) for name in _TYPE)
        if not _are_texts(types) or module not in MODULES or name not in NAMES:
            return False
        if view_module not in {*MODULES, None} or view_name not in {*NAMES, None}:
            return False
        return name not in _LINKS or all(self._may_link(state.get(end)) for end in ("source", "target"))

    def _may_link(self, end: Any) -> bool:
        """Tell whether the page may copy values to this end of a link, past everything here."""
        if not isinstance(end, list) or len(end) != 2 or not _are_texts(tuple(end)):
            return False
        model = self._models.get(str(end[0]).removeprefix("IPY_MODEL_"))
        if model is None or model.refused or model.styles or model.is_one_of(_HTML | _LABELS | _LINKS):
            return False
        return end[1] in _LINKABLE

    def _reported(self, states: Json) -> Json:
        """Return the states of many models, as a page asks for that is loaded anew."""
        return {
            comm_id: self._report(comm_id, entry)
            for comm_id, entry in states.items()
            if isinstance(entry, dict) and comm_id in self._models
        }

    def _report(self, comm_id: str, entry: Json) -> Json:
        model, state = self._models[comm_id], entry.get("state")
        state = state if isinstance(state, dict) else {}
        clean = self._note(state) if model.refused else {**self._state(model, state), **model.type}
        versions = {name: entry[name] for name in _VERSIONS if isinstance(entry.get(name), str)}
        return {
            **versions,
            "model_module": clean["_model_module"],
            "model_name": clean["_model_name"],
            "state": clean,
        }

    def _state(self, model: _Model, state: Json) -> Json:
        clean = {
            name: self._trait(model, name, value) for name, value in state.items() if name not in _UNSAFE
        }
        for name in _TYPE:
            if clean.get(name) != model.type[name]:
                clean.pop(name, None)
        for end in ("source", "target") if model.is_one_of(_LINKS) else ():
            if end in clean and not self._may_link(clean[end]):
                del clean[end]
        return state if clean == state else clean

    def _trait(self, model: _Model, name: str, value: Any) -> Any:
        if name == "value" and model.is_one_of(_HTML):
            return self._safe_html(value)
        if name == "description" or (name == "value" and model.is_one_of(_LABELS)):
            return plain_tex(printable(value)) if isinstance(value, str) else ""
        if name == "outputs":
            outputs = map(self._output, value if isinstance(value, list) else [])
            return [output for output in outputs if output is not None]
        if name in _FIXED:
            return _FIXED[name](value)
        if model.styles and isinstance(value, str) and any(word in value.lower() for word in _LOADS):
            return ""
        return value if name in _TEXTS else _without_tags(value)

    def _safe_html(self, value: Any) -> str:
        if not isinstance(value, str):
            return ""
        shown = self._html(value) if value.strip() else value
        return (
            self._sentence("This text acts in your browser, or is too much for one message")
            if shown is None
            else shown
        )

    def _note(self, state: Json) -> Json:
        """Return the state of a widget that says why another is not shown."""
        module = "@jupyter-widgets/controls"
        asked = state.get("_model_module")
        what = f"A widget of {asked[:100]!r} runs code" if isinstance(asked, str) else "This widget acts"
        note: Json = {
            **dict(zip(_TYPE, (module, "HTMLModel", module, "HTMLView"), strict=True)),
            "_model_module_version": "2.0.0",
            "_view_module_version": "2.0.0",
            "value": self._sentence(what + " in your browser"),
        }
        layout = state.get("layout")
        return {**note, "layout": layout} if isinstance(layout, str) else note

    def _sentence(self, what: str) -> str:
        plain = what.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<small>[sandbox] {plain}, so it is not shown ('html' is {self._mode}).</small>"

    def _paths(self, data: Json) -> Json:
        """Return where buffers go, or that they go nowhere: their paths are followed without looking."""
        paths = data.get("buffer_paths")
        if paths is None:
            return {}
        plain = all(_is_place(place) for path in paths for place in path)
        return {"buffer_paths": paths if plain else []}

    def _all_paths(self, data: Json) -> Json:
        """Return where the buffers of many models go: those of models that are not shown, nowhere."""
        clean = self._paths(data)
        if "buffer_paths" in clean:
            clean["buffer_paths"] = [
                path if self._is_shown(path) else ["_withheld"] for path in clean["buffer_paths"]
            ]
        return clean

    def _is_shown(self, path: list[Any]) -> bool:
        model = self._models.get(str(path[0])) if path else None
        return model is not None and not model.refused


def _own_classes(value: Any) -> list[str]:
    classes = value if isinstance(value, list) else []
    return [one for one in classes if isinstance(one, str) and not one.startswith(_HOUSE_CLASSES)]


def _icon(value: Any) -> str:
    """Return the name of an icon, which becomes part of a list of classes: one, not several."""
    return value if isinstance(value, str) and _ICON.fullmatch(value) else ""


_FIXED: Final[dict[str, Callable[[Any], Any]]] = {
    "description_allow_html": lambda _: False,
    "_dom_classes": _own_classes,
    "format": lambda value: value if isinstance(value, str) and value in _FORMATS else "png",
    "icons": lambda value: [_icon(one) for one in value] if isinstance(value, list) else [],
}


def _is_place(place: Any) -> bool:
    return isinstance(place, int) or (isinstance(place, str) and place not in _UNSAFE)


def _without_tags(value: Any) -> Any:
    """Return a value that is no text for people, with nothing in it that could be HTML."""
    if isinstance(value, str):
        return value.replace("<", "")
    if isinstance(value, list) and value:
        return [_without_tags(item) for item in value]
    return value


def _are_texts(values: tuple[Any, ...]) -> bool:
    return all(value is None or isinstance(value, str) for value in values)
