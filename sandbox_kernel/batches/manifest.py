"""A manifest: which notebooks run with which parameters, as YAML or CSV.

In YAML, a list of runs, or a mapping with one (every key but `runs` is optional):

    parameters: {currency: EUR}        # for every run
    timeout: 10m                       # of each run
    runs:
      - report.ipynb                   # a notebook; relative to the manifest's folder
      - notebook: report.ipynb
        parameters: {region: north}
        sets: [{year: 2023}, {year: 2024, draft: true}]    # one run with each
      - notebook: model.ipynb
        grid: {depth: [2, 4], seed: [1, 2, 3]}             # one run with each combination
        output: "model/{depth}-{seed}.ipynb"               # below the folder of results

In CSV, one run in each line: the columns `notebook`, `output` and `timeout` are ours, every other one is
a parameter, read as `-p` reads it; an empty cell leaves the notebook its own value.

Nothing is guessed: a key that is not known, a value of the wrong kind, or a key given twice is refused,
with the line it stands in.
"""

import csv
import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox_kernel.batches.naming import canonical
from sandbox_kernel.batches.plan import MAX_JOBS
from sandbox_kernel.batches.refusals import ManifestError, check_parameters, refuse_unknown
from sandbox_kernel.notebooks.parameters.reading import PlainLoader
from sandbox_kernel.policy.fields import KINDS
from sandbox_kernel.policy.units import UnusableError

MAX_BYTES: Final = 16 << 20
"""Of a manifest: some hundred thousand runs."""
MAX_GRID: Final = MAX_JOBS
"""Combinations of one grid."""
MAX_TEXT: Final = 64 << 20
"""Characters of all runs' parameters together, as JSON: they are held in memory, and stand in a report. A few
lines of YAML can stand for many more (references)."""
SUFFIXES: Final = (".yaml", ".yml", ".csv")

_TOP: Final = ("runs", "parameters", "timeout")
_RUN: Final = ("notebook", "parameters", "sets", "grid", "output", "timeout")
_COLUMNS: Final = ("notebook", "output", "timeout")


@dataclass(frozen=True, slots=True)
class Entry:
    """One run as a manifest has it."""

    where: str
    """For messages: `runs.yaml, line 12`."""
    notebook: str | None
    """As it is written; None: every notebook that is named elsewhere."""
    parameters: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    timeout: float | None = None


def read_manifest(path: Path, typed: Callable[[str], object]) -> list[Entry]:
    """Return the runs that the manifest at `path` asks for, in its order.

    :param typed: makes a value of a CSV's text, as `-p` does.
    :raises ManifestError: it cannot be read, or is not understood.
    """
    text = _text(path)
    is_csv = path.suffix.lower() == ".csv"
    found = _csv_entries(text, str(path), typed) if is_csv else _yaml_entries(text, str(path))
    entries, room = [], MAX_TEXT
    for entry in found:
        entries.append(entry)
        room -= len(canonical(entry.parameters))
        if len(entries) > MAX_JOBS:
            raise ManifestError(f"{entry.where}: {MAX_JOBS} runs are the most of one batch: split it.")
        if room < 0:
            raise ManifestError(
                f"{entry.where}: the parameters of all runs up to here are longer than {MAX_TEXT >> 20} MiB; "
                "pass names of files."
            )
    if not entries:
        raise ManifestError(f"{path} asks for no run.")
    return entries


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ManifestError(f"{path} is larger than {MAX_BYTES >> 20} MiB; split it.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ManifestError(f"cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ManifestError(f"{path}, line {line}: this is not UTF-8 text; save the file as such.") from error


class _Loader(PlainLoader):
    """Makes plain values as for `-f`, and takes no key twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._flat: set[yaml.MappingNode] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge what is to be merged (`<<`), once; of what is merged and written, what is written counts.

        PyYAML leaves both, and takes the wrong one when the whole is merged again.

        :raises yaml.MarkedYAMLError: a key is written twice: one of the two would be lost.
        """
        if node in self._flat:
            return
        self._flat.add(node)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        super().flatten_mapping(node)
        node.value = list({(key.tag, str(key.value)): (key, value) for key, value in node.value}.values())


class _Yaml:
    """One YAML text, read piece by piece, each with the line it stands in."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._loader = _Loader(text)

    def root(self) -> yaml.Node | None:
        return self._loader.get_single_node()

    def where(self, node: yaml.Node) -> str:
        return f"{self._name}, line {node.start_mark.line + 1}"

    def fields(self, node: yaml.Node, known: Sequence[str]) -> dict[str, yaml.Node]:
        """Return a mapping's values by their keys, all of which are known."""
        if not isinstance(node, yaml.MappingNode):
            raise ManifestError(f"{self.where(node)}: this is no mapping of {', '.join(known)}.")
        self._loader.flatten_mapping(node)
        found = {str(self.value(key)): value for key, value in node.value}
        for key, _ in node.value:
            refuse_unknown([str(self.value(key))], known, self.where(key))
        return found

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise ManifestError(
                f"{self.where(node)}: {what} is no list; begin each of its lines with a dash."
            )
        return list(node.value)

    def value(self, node: yaml.Node) -> Any:
        return self._loader.construct_object(node, deep=True)

    def text(self, node: yaml.Node, what: str) -> str:
        value = self.value(node)
        if not isinstance(value, str) or not value.strip():
            raise ManifestError(f"{self.where(node)}: {what} is no text; write a name, in quotes if need be.")
        return value

    def parameters(self, node: yaml.Node | None) -> dict[str, Any]:
        if node is None:
            return {}
        value = self.value(node)
        if not isinstance(value, dict):
            raise ManifestError(
                f"{self.where(node)}: parameters are written `name: value`, one in each line."
            )
        return check_parameters(value, self.where(node))

    def timeout(self, node: yaml.Node | None) -> float | None:
        return None if node is None else _seconds(self.value(node), self.where(node))


def _seconds(written: object, where: str) -> float | None:
    try:
        read = KINDS["session_timeout"].read(written)
    except UnusableError as refusal:
        raise ManifestError(f"{where}: timeout: {written!r:.80} {refusal}.") from None
    return read if isinstance(read, float) else None


def _yaml_entries(text: str, name: str) -> Iterator[Entry]:
    try:
        document = _Yaml(text, name)
        root = document.root()
        yield from _runs(document, root) if root is not None else ()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ManifestError(f"{name}{line}: {error.problem or 'this is no YAML'}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ManifestError(f"{name} is no YAML: {' '.join(str(error).split())[:200]}.") from error


def _runs(document: _Yaml, root: yaml.Node) -> Iterator[Entry]:
    everywhere: dict[str, Any] = {}
    timeout, runs = None, root
    if isinstance(root, yaml.MappingNode):
        fields = document.fields(root, _TOP)
        if "runs" not in fields:
            raise ManifestError(f"{document.where(root)}: there is no list 'runs'.")
        runs = fields["runs"]
        everywhere = document.parameters(fields.get("parameters"))
        timeout = document.timeout(fields.get("timeout"))
    for node in document.items(runs, "'runs'"):
        for entry in _entries_of(document, node):
            yield replace(
                entry,
                parameters=everywhere | entry.parameters,
                timeout=timeout if entry.timeout is None else entry.timeout,
            )


def _entries_of(document: _Yaml, node: yaml.Node) -> Iterator[Entry]:
    """Yield the runs of one element of the list."""
    where = document.where(node)
    if isinstance(node, yaml.ScalarNode):
        yield Entry(where, document.text(node, "the notebook"))
        return
    fields = document.fields(node, _RUN)
    if "sets" in fields and "grid" in fields:
        raise ManifestError(f"{where}: a run has 'sets' or a 'grid', not both; make it two.")
    notebook = document.text(fields["notebook"], "the notebook") if "notebook" in fields else None
    output = document.text(fields["output"], "the output") if "output" in fields else None
    parameters = document.parameters(fields.get("parameters"))
    timeout = document.timeout(fields.get("timeout"))
    for line, own in _sets(document, fields, where):
        yield Entry(line, notebook, parameters | own, output, timeout)


def _sets(
    document: _Yaml, fields: Mapping[str, yaml.Node], where: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each set of parameters stands, and the set; one empty set where none is given."""
    if "sets" in fields:
        for node in document.items(fields["sets"], "'sets'"):
            yield document.where(node), document.parameters(node)
    elif "grid" in fields:
        grid = document.parameters(fields["grid"])
        yield from ((where, chosen) for chosen in _combinations(grid, document.where(fields["grid"])))
    else:
        yield where, {}


def _combinations(grid: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    count = 1
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ManifestError(f"{where}: {name!r} in a grid is no list of values.")
        count *= len(values)
    if count > MAX_GRID:
        raise ManifestError(f"{where}: this grid has {count} combinations; {MAX_GRID} are the most.")
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _csv_entries(text: str, name: str, typed: Callable[[str], object]) -> Iterator[Entry]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(header, f"{name}, line 1")
        for row in reader:
            if any(cell.strip() for cell in row):
                yield _csv_entry(header, row, f"{name}, line {reader.line_num}", typed)
    except csv.Error as error:
        raise ManifestError(f"{name}, line {reader.line_num}: this is no CSV: {error}.") from error


def _check_header(header: Sequence[str], where: str) -> None:
    for column in header:
        if header.count(column) > 1:
            raise ManifestError(f"{where}: the column {column!r} is there twice.")
    if "notebook" not in header:
        near = get_close_matches("notebook", header, n=1, cutoff=0.7)
        if near:
            raise ManifestError(f"{where}: there is no column 'notebook'; did you mean it by {near[0]!r}?")
    check_parameters(dict.fromkeys(column for column in header if column not in _COLUMNS), where)


def _csv_entry(
    header: Sequence[str], row: Sequence[str], where: str, typed: Callable[[str], object]
) -> Entry:
    if len(row) > len(header):
        raise ManifestError(f"{where}: {len(row)} cells, but the first line names {len(header)} columns.")
    cells = {column: cell.strip() for column, cell in zip(header, row, strict=False) if cell.strip()}
    if "notebook" in header and "notebook" not in cells:
        raise ManifestError(f"{where}: no notebook is named.")
    timeout = _seconds(cells["timeout"], where) if "timeout" in cells else None
    parameters = {column: typed(cell) for column, cell in cells.items() if column not in _COLUMNS}
    return Entry(where, cells.get("notebook"), parameters, cells.get("output"), timeout)
