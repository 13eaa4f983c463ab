"""Layer tables in CSV and JSON files: what is read, what is refused, what is never half written."""

import itertools
import json
import os

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe
from optedge import disk, networks
from optedge.networks import LayerGraph
from optedge.networks.tables import COLUMNS, decode_json, encode_json, write_csv, write_json

HEAD = ",".join(COLUMNS) + "\n"
GOOD = HEAD + "0,data,input,0,0,602112,1\n1,conv1,conv,1e9,9408,802816,2;3\n"
GOOD += "2,a,conv,5,1,10,3\n3,out,fc,2,2.5,4,\n"


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text to a file and reads it as a network."""

    def read_text(text):
        path = tmp_path / "my net.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return networks.read_csv(path)

    return read_text


def same(a, b):
    """Tell whether two networks are equal but for name and clock."""
    for field in ("flops", "parameters", "output_bytes", "seconds"):
        x, y = getattr(a, field), getattr(b, field)
        if (x is None) != (y is None) or (x is not None and not np.array_equal(x, y)):
            return False
    return (a.successors, a.names, a.types) == (b.successors, b.names, b.types)


@st.composite
def graphs(draw):
    """Draw a network whose names hold commas, quotes, breaks, umlauts, and nothing."""
    n = draw(st.integers(1, 6))
    rows = [set() for _ in range(n)]
    for w in range(1, n):
        for v in draw(st.sets(st.integers(0, w - 1), min_size=1, max_size=2)):
            rows[v].add(w)
    size = st.one_of(
        st.integers(0, 2**53).map(float),
        st.floats(0, 1e300, allow_nan=False),
        st.sampled_from([0.1, 1e-300, 5e-324, 1e16 + 2]),
    )
    word = st.text(st.sampled_from(list('ab ,;"\nü漢')), max_size=5)

    def many(entry):
        return draw(st.lists(entry, min_size=n, max_size=n))

    return LayerGraph(
        [sorted(row) for row in rows],
        many(size),
        many(size),
        many(size),
        seconds=many(size) if draw(st.booleans()) else None,
        names=many(word),
        types=many(word),
        clock_ghz=draw(st.sampled_from([None, 2.9])),
        name=draw(word),
    )


# ---------------------------------------------------------------- reading


def test_read_csv(read):
    """Columns become fields; the network is called as the file is."""
    g = read(GOOD)
    assert (g.name, g.n_layers, g.successors) == ("my net", 4, ((1,), (2, 3), (3,), ()))
    assert g.flops.tolist() == [0, 1e9, 5, 2]
    assert g.parameters.tolist() == [0, 9408, 1, 2.5]
    assert g.output_bytes.tolist() == [602112, 802816, 10, 4]
    assert g.names == ("data", "conv1", "a", "out")
    assert g.types == ("input", "conv", "conv", "fc")
    assert (g.seconds, g.clock_ghz) == (None, None)


def test_any_numbers_in_any_order(read):
    """Layers are sorted and numbered from 0, whatever numbers they had and however they stood."""
    rows = ["7,end,fc,3,0,1,", "-2,data,input,0,0,9,30;4", "30,b,conv,1,0,2,7", "4,c,conv,2,0,3,7"]
    for order in itertools.permutations(rows):
        g = read(HEAD + "\n".join(order))
        assert g.names == ("data", "c", "b", "end")
        assert g.successors == ((1, 2), (3,), (3,), ())
        assert g.flops.tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(",conv,", ", conv ,").replace("9408", " 9408 "),
        GOOD.replace("2;3", "2; 3;"),
        GOOD.replace("\n1,", "\n\n1,"),
        GOOD.rstrip("\n"),
    ],
    ids=["byte order mark", "windows", "spaces", "trailing semicolon", "blank line", "no end"],
)
def test_harmless_habits(read, text):
    """What spreadsheets do to a file does no harm."""
    g = read(text)
    assert g.successors == ((1,), (2, 3), (3,), ())
    assert g.parameters.tolist() == [0, 9408, 1, 2.5]


def test_more_columns_are_allowed(read):
    """Columns that we do not know are left alone; measured seconds are taken."""
    lines = GOOD.splitlines()
    text = "\n".join([lines[0] + ",remark,seconds", *(f"{x},hm,0.5" for x in lines[1:])])
    assert read(text).seconds.tolist() == [0.5] * 4


def test_name_may_be_given(tmp_path):
    """The name of the file is only the default."""
    (tmp_path / "x.csv").write_text(GOOD)
    assert networks.read_csv(tmp_path / "x.csv", "mine").name == "mine"
    assert networks.read_csv(str(tmp_path / "x.csv")).name == "x"


# ---------------------------------------------------------------- broken CSV


@pytest.mark.parametrize("column", ["layer", "flops", "params", "output_bytes", "successors"])
def test_missing_columns(read, column):
    """The sentence names file, line and column."""
    keep = [k for k, name in enumerate(COLUMNS) if name != column]
    text = "\n".join(",".join(row.split(",")[k] for k in keep) for row in GOOD.splitlines())
    with pytest.raises(ValueError, match=rf"my net.csv: line 2: the column {column} is missing"):
        read(text)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1e9", "fast", "line 3, column flops: 'fast' is not a number"),
        ("9408", "", "line 3, column params: '' is not a number"),
        ("602112", "6o2", "line 2, column output_bytes: '6o2' is not a number"),
        ("1e9", "-1", r"flops\[1\] \(conv1\) must be finite and at least 0, got -1"),
        ("1e9", "nan", r"flops\[1\] \(conv1\) must be finite"),
        ("802816", "inf", r"output_bytes\[1\] \(conv1\) must be finite"),
        ("2;3", "2;9", "line 3, column successors: there is no layer 9"),
        ("2;3", "2;b", "line 3, column successors: '2;b' is not integers with ';' between"),
        ("2;3", "2.0", "line 3, column successors: '2.0' is not integers"),
        ("2;3", "2;2", "layer 1 .*named twice"),
        ("2;3", "2;1", "a cycle, 1 -> 1"),
        (",3\n", ",1\n", "a cycle, 1 -> 2 -> 1"),
        ("602112,1", "602112,2", "layer 0 .* and layer 1 .* no predecessor"),
        ("\n1,", "\none,", "line 3, column layer: 'one' is not an integer"),
        ("\n1,", "\n1.0,", "line 3, column layer: '1.0' is not an integer"),
        ("\n1,", "\n2,", "column layer: layer 2 stands there twice"),
        ("5,1,10,3", "5", "line 4: the column .* is missing"),
    ],
)
def test_broken_entries(read, old, new, words):
    """The sentence names the file, and line and column or the layer."""
    assert old in GOOD
    with pytest.raises(ValueError, match=words) as error:
        read(GOOD.replace(old, new, 1))
    assert "my net.csv" in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the table has no layers"),
        (HEAD, "the table has no layers"),
        (b"\xff\xfe\x00l", "the file is not text in UTF-8"),
        (GOOD.replace("conv1", "caf\xe9").encode("latin-1"), "the file is not text in UTF-8"),
        (GOOD.replace(",", "\t"), "the column layer is missing"),
        ("layers of my network\n" + GOOD, "line 2: "),
    ],
    ids=["empty", "header only", "binary", "latin-1", "tabs", "title"],
)
def test_no_table_at_all(read, content, words):
    """What is no table of layers is refused with the name of the file."""
    with pytest.raises(ValueError, match=f"my net.csv: .*{words}"):
        read(content)


def test_no_such_file(tmp_path):
    """A missing file is one."""
    with pytest.raises(FileNotFoundError):
        networks.read_csv(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError):
        networks.read_json(tmp_path / "none.json")


def test_too_large_a_field(read):
    """A field longer than the reader of Python takes is refused like everything else."""
    with pytest.raises(ValueError, match=r"my net.csv"):
        read(GOOD.replace("conv1", "x" * 200_000))


def test_bare_carriage_returns(read):
    """Lines that end as on old Macs are read, or refused with the name of the file."""
    try:
        assert read(GOOD.replace("\n", "\r")).n_layers == 4
    except ValueError as error:
        assert "my net.csv" in str(error)


def test_lines_are_counted_with_the_blank_ones(read):
    """The line named is that of the file."""
    with pytest.raises(ValueError, match="line 5, column flops"):
        read(GOOD.replace("\n1,", "\n\n\n1,").replace("1e9", "fast"))


def test_commas_between_successors(read):
    """Successors with commas between are more columns than the table has, and no silent loss."""
    with pytest.raises(ValueError, match="line 3"):
        read(GOOD.replace("2;3", "2,3"))


# ---------------------------------------------------------------- round trips


@given(graphs())
@examples(80)
def test_csv_round_trip(tmp_path_factory, graph):
    """Written and read, a network is the same to the last digit."""
    path = tmp_path_factory.mktemp("csv") / "g.csv"
    write_csv(graph, path)
    back = networks.read_csv(path, graph.name)
    assert same(back, graph)
    assert back.name == graph.name


@given(graphs())
@examples(80)
def test_json_round_trip(graph):
    """In JSON name and clock are kept too."""
    back = decode_json(encode_json(graph))
    assert same(back, graph)
    assert (back.name, back.clock_ghz) == (graph.name, graph.clock_ghz)


@pytest.mark.parametrize("source", ["zoo", "linbin403"])
def test_all_networks_round_trip(tmp_path, source):
    """Every network that ships survives CSV, JSON and save."""
    for name in networks.list_networks(source):
        g = networks.load(name, source)
        g.to_csv(tmp_path / f"{name}.csv")
        g.to_json(tmp_path / f"{name}.json")
        oe.save(g, tmp_path / "saved.json")
        assert same(networks.read_csv(tmp_path / f"{name}.csv"), g)
        for back in (
            networks.read_json(tmp_path / f"{name}.json"),
            oe.load(tmp_path / f"{name}.json"),
            oe.load(tmp_path / "saved.json"),
        ):
            assert same(back, g)
            assert (back.name, back.clock_ghz) == (g.name, g.clock_ghz)
    assert sorted(p.name for p in tmp_path.glob(".*")) == []


def test_a_line_a_layer(tmp_path):
    """A JSON file can be read and compared by eye."""
    networks.load("alexnet").to_json(tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    assert sum('"output_bytes"' in line for line in text.splitlines()) == 12
    assert list(json.loads(text))[:4] == ["format", "version", "kind", "name"]


# ---------------------------------------------------------------- broken JSON


def changed(**fields):
    """Return a function that changes fields of the document; None takes one out."""

    def change(document):
        for key, value in fields.items():
            if value is None:
                del document[key]
            else:
                document[key] = value

    return change


def layer(**fields):
    """Return a function that changes fields of layer 3."""
    return lambda document: document["layers"][3].update(fields)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed(version=9), "version"),
        (changed(version=0), "version"),
        (changed(version="1"), "version"),
        (changed(version=None), "version"),
        (changed(format="other"), "format"),
        (changed(format=None), "format"),
        (changed(layers=None), "layers"),
        (changed(layers=[]), "layers: there is none"),
        (changed(layers={}), "layers"),
        (changed(layers="many"), "layers"),
        (changed(author="me"), "author"),
        (changed(clock_ghz=-1.0), "clock_ghz must be positive"),
        (changed(name=3), "name"),
        (layer(flops="much"), r"layers\[3\]\.flops"),
        (layer(flops=None), r"layers\[3\]\.flops"),
        (layer(flops=-1.0), r"flops\[3\] \(conv2\) must be finite and at least 0"),
        (layer(colour="red"), "colour"),
        (layer(successors=[99]), r"layer 3 \(conv2\): there is no layer 99"),
        (layer(successors=[10**30]), "there is no layer 1000"),
        (layer(successors=[4.5]), "successors"),
        (layer(successors=[1]), "a cycle, 1 -> 2 -> 3 -> 1"),
        (layer(successors=[4, 4]), "named twice"),
        (layer(seconds=1.0), "some have seconds and some have not"),
    ],
)
def test_broken_json(tmp_path, change, words):
    """Both readers name the file and the field."""
    path = tmp_path / "net.json"
    networks.load("alexnet").to_json(path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    for reader in (networks.read_json, oe.load):
        with pytest.raises(ValueError, match=words) as error:
            reader(path)
        assert "net.json" in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"3", b"{", b"not json", b"\xff\xfe", b"[" * 100_000, b'{"layers": ' * 5000],
    ids=["empty", "list", "number", "cut", "text", "binary", "deep", "deep objects"],
)
def test_no_json_at_all(tmp_path, content):
    """Anything else is refused with the name of the file."""
    path = tmp_path / "net.json"
    path.write_bytes(content)
    for reader in (networks.read_json, oe.load):
        with pytest.raises(ValueError, match=r"net\.json"):
            reader(path)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.99])
def test_half_a_file(tmp_path, cut):
    """A file that ends too early is never taken for a smaller network."""
    path = tmp_path / "net.json"
    content = encode_json(networks.load("vgg16"))
    path.write_bytes(content[: int(cut * len(content))])
    for reader in (networks.read_json, oe.load):
        with pytest.raises(ValueError, match=r"net\.json"):
            reader(path)


def test_a_problem_is_no_network(tmp_path):
    """Each reader takes its own kind; ``load`` takes all."""
    p = oe.CutProblem([[1], []], [[0, 1], [0, 1]], [[1, 0]])
    oe.save(p, tmp_path / "p.json")
    with pytest.raises(ValueError, match=r"p\.json: not a network"):
        networks.read_json(tmp_path / "p.json")
    assert isinstance(oe.load(tmp_path / "p.json"), oe.CutProblem)


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("write", [write_csv, write_json, oe.save])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch, write, step):
    """Whatever step fails: the old file stays whole, and nothing else is left behind."""
    path = tmp_path / "net"
    write(networks.load("alexnet"), path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(disk.os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        write(networks.load("vgg19"), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net"]


@pytest.mark.parametrize("write", [write_csv, write_json, oe.save])
def test_where_nothing_can_be_written(tmp_path, write):
    """A folder is not replaced, and no folder is made."""
    with pytest.raises(ValueError, match="not a file"):
        write(networks.load("alexnet"), tmp_path)
    with pytest.raises(FileNotFoundError):
        write(networks.load("alexnet"), tmp_path / "no" / "net.json")
    assert os.listdir(tmp_path) == []


def test_saving_something_else(tmp_path):
    """What is no problem, result or network is refused, and no file appears."""
    with pytest.raises(TypeError, match="a problem, a result or a network is expected, got dict"):
        oe.save({}, tmp_path / "x.json")
    assert os.listdir(tmp_path) == []
