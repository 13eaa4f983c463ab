"""Layer tables in files: CSV (a row a layer) and JSON (an object a layer)."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from optedge.disk import read_limited, write_atomic
from optedge.networks.dag import sorted_order
from optedge.networks.graph import LayerGraph

COLUMNS = ("layer", "name", "type", "flops", "params", "output_bytes", "successors")
VERSION = 1


class _Layer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    name: str = ""
    type: str = ""
    flops: float = 0.0
    parameters: float = 0.0
    output_bytes: float = 0.0
    seconds: float | None = None
    successors: list[int] = []


class _Document(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    format: str
    version: int
    kind: str
    name: str = ""
    clock_ghz: float | None = None
    layers: list[_Layer]


# ------------------------------------------------------------------------------ CSV


def read_csv(path: str | os.PathLike[str], name: str | None = None) -> LayerGraph:
    """Return the network in a CSV file.

    Parameters
    ----------
    path
        A file with the columns layer, name, type, flops, params, output_bytes, successors (layer
        numbers separated by ``;``) and, if the layers were measured, seconds. Layers may be
        numbered by any integers and stand in any order; they are sorted and numbered from 0.
    name
        Of the network; by default that of the file.

    Raises
    ------
    ValueError
        If a column is missing or an entry is wrong; the sentence names file, line and column.
    FileNotFoundError
        If there is no such file.
    """
    stem = os.path.splitext(os.path.basename(os.fspath(path)))[0]
    try:
        return from_rows(csv_rows(path), name=stem if name is None else name)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def csv_rows(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file as dicts, with the number of their ``line``.

    ValueError if it is no such file.
    """
    try:
        text = read_limited(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("the file is not text in UTF-8.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="beyond")
    rows = []
    try:
        for row in reader:
            if "beyond" in row:
                raise ValueError(f"line {reader.line_num}: more entries than columns.")
            rows.append({**row, "line": str(reader.line_num)})
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}.") from None
    return rows


def from_rows(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str] | None = None,
    **fields: Any,
) -> LayerGraph:
    """Return the network whose layers are the rows of a table of strings.

    Parameters
    ----------
    rows
        One a layer, as :func:`read_csv` describes.
    columns
        Our column name to the one in the table, where it differs; a column mapped to ``""`` is
        zero throughout.
    **fields
        Other fields of the graph.
    """
    spelled = dict(columns or {})
    if not rows:
        raise ValueError("the table has no layers.")

    def line(row: int) -> str:
        return f"line {rows[row].get('line', row + 2)}"

    def entry(row: int, column: str, convert: Callable[[str], Any]) -> Any:
        text = rows[row].get(spelled.get(column, column))
        if text is None:
            raise ValueError(f"{line(row)}: the column {spelled.get(column, column)} is missing.")
        try:
            return convert(text.strip())
        except ValueError:
            wanted = {int: "an integer", float: "a number"}.get(
                convert, "integers with ';' between"
            )  # type: ignore[call-overload]
            where = f"{line(row)}, column {spelled.get(column, column)}"
            raise ValueError(f"{where}: {text!r} is not {wanted}.") from None

    def split(text: str) -> list[int]:
        return [int(part) for part in text.split(";") if part.strip()]

    many = range(len(rows))
    numbers = [entry(k, "layer", int) for k in many]
    row_of = {number: k for k, number in enumerate(numbers)}
    if len(row_of) < len(rows):
        twice = next(n for n in numbers if numbers.count(n) > 1)
        raise ValueError(f"column layer: layer {twice} stands there twice.")
    feeds = {number: entry(k, "successors", split) for number, k in row_of.items()}
    for number, row in feeds.items():
        for w in row:
            if w not in row_of:
                where = line(row_of[number])
                raise ValueError(f"{where}, column successors: there is no layer {w}.")
    order = sorted_order(feeds)
    place = {number: v for v, number in enumerate(order)}

    def column(name: str) -> list[float] | None:
        if spelled.get(name) == "":
            return [0.0] * len(order)
        return [entry(row_of[number], name, float) for number in order]

    def words(name: str) -> list[str]:
        return [str(rows[row_of[number]].get(spelled.get(name, name)) or "") for number in order]

    measured = spelled.get("seconds", "seconds") in rows[0]
    return LayerGraph(
        successors=tuple(tuple(sorted(place[w] for w in feeds[number])) for number in order),
        flops=column("flops"),  # type: ignore[arg-type]  # cast by the graph
        parameters=column("params"),  # type: ignore[arg-type]
        output_bytes=column("output_bytes"),  # type: ignore[arg-type]
        seconds=column("seconds") if measured else None,  # type: ignore[arg-type]
        names=tuple(words("name")),
        types=tuple(words("type")),
        **fields,
    )


def write_csv(graph: LayerGraph, path: str | os.PathLike[str]) -> None:
    """Write a network as :func:`read_csv` reads it; the file appears whole or not at all."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    measured = graph.seconds is not None
    writer.writerow([*COLUMNS[:-1], *(["seconds"] if measured else []), COLUMNS[-1]])
    for v, layer in enumerate(_layers(graph)):
        numbers = [_short(x) for x in (layer.flops, layer.parameters, layer.output_bytes)]
        seconds = [_short(layer.seconds or 0.0)] if measured else []
        feeds = ";".join(map(str, layer.successors))
        writer.writerow([v, layer.name, layer.type, *numbers, *seconds, feeds])
    write_atomic(path, out.getvalue().encode())


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


# ----------------------------------------------------------------------------- JSON


def read_json(path: str | os.PathLike[str]) -> LayerGraph:
    """Return the network that :func:`write_json` wrote.

    Raises
    ------
    ValueError
        If the file is broken; the sentence names file and field.
    """
    try:
        return decode_json(read_limited(path))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def write_json(graph: LayerGraph, path: str | os.PathLike[str]) -> None:
    """Write a network to a JSON file that appears whole or not at all."""
    write_atomic(path, encode_json(graph))


def encode_json(graph: LayerGraph) -> bytes:
    """Return the content of a network's JSON file, a line a layer."""
    head = {"format": "optedge", "version": VERSION, "kind": "network", "name": graph.name}
    members = [f'"{key}": '.encode() + msgspec.json.encode(value) for key, value in head.items()]
    if graph.clock_ghz is not None:
        members.append(b'"clock_ghz": ' + msgspec.json.encode(graph.clock_ghz))
    layers = b",\n".join(b"  " + msgspec.json.encode(layer) for layer in _layers(graph))
    return b"{\n" + b",\n".join(members) + b',\n"layers": [\n' + layers + b"\n]}\n"


def decode_json(data: bytes) -> LayerGraph:
    """Return the network in what :func:`encode_json` returned; ValueError if it is broken."""
    try:
        found = msgspec.json.decode(data, type=_Document)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a network of optedge: {error}") from None
    except RecursionError:
        raise ValueError("its JSON is nested too deeply.") from None
    if (found.format, found.kind) != ("optedge", "network"):
        raise ValueError("not a network of optedge: format or kind is another one.")
    if not 1 <= found.version <= VERSION:
        raise ValueError(f"version: {found.version} is unknown, this optedge reads {VERSION}.")
    if not found.layers:
        raise ValueError("layers: there is none.")
    measured = [layer.seconds for layer in found.layers]
    if None in measured and any(s is not None for s in measured):
        raise ValueError("layers: some have seconds and some have not.")
    return LayerGraph(
        successors=tuple(tuple(layer.successors) for layer in found.layers),
        flops=[layer.flops for layer in found.layers],  # type: ignore[arg-type]  # cast there
        parameters=[layer.parameters for layer in found.layers],  # type: ignore[arg-type]
        output_bytes=[layer.output_bytes for layer in found.layers],  # type: ignore[arg-type]
        seconds=None if None in measured else measured,  # type: ignore[arg-type]
        clock_ghz=found.clock_ghz,
        names=tuple(layer.name for layer in found.layers),
        types=tuple(layer.type for layer in found.layers),
        name=found.name,
    )


def _layers(graph: LayerGraph) -> list[_Layer]:
    return [
        _Layer(
            name=graph.names[v],
            type=graph.types[v],
            flops=float(graph.flops[v]),
            parameters=float(graph.parameters[v]),
            output_bytes=float(graph.output_bytes[v]),
            seconds=None if graph.seconds is None else float(graph.seconds[v]),
            successors=list(row),
        )
        for v, row in enumerate(graph.successors)
    ]
