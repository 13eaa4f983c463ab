"""Links: uploads over a trace by hand and against small steps of time, generators, files."""

import numpy as np
import pytest

from optedge.learning import ExponentialLink, TraceLink, ar1_trace, markov_trace


def test_trace_by_hand():
    """2 Mbit/s for a second, nothing for two, 1 Mbit/s for the last two; then again."""
    link = TraceLink([0, 1, 3], [2, 0, 1])
    assert link.times.tolist() == [0, 1, 3, 5]
    assert link.seconds(1e6) == 0.5
    assert link.seconds(2e6) == 1.0  # the pause begins when the last bit has gone
    assert link.seconds(2.5e6) == 3.5
    assert link.seconds(4e6) == 5.0
    assert link.seconds(5e6) == 5.5
    assert link.seconds(1e6, start=1) == 3.0
    assert link.seconds(1e6, start=4.5) == 0.75
    assert link.seconds(8e6, start=2) == 9.0
    assert link.seconds(0) == 0.0
    assert TraceLink([7], [4], latency=0.1).seconds(2e6, start=3) == pytest.approx(0.6)


def test_trace_against_small_steps():
    """An upload ends when the bandwidths of all moments add up to it."""
    rng, step = np.random.default_rng(0), 1e-3
    link = TraceLink([2.0, 2.5, 4.0, 4.25], [3.0, 0.5, 0.0, 8.0])
    period = float(link.times[-1])
    moments = (np.arange(40_000) + 0.5) * step
    rates = 1e6 * link.mbit_s[np.searchsorted(link.times, moments % period, "right") - 1]
    for _ in range(30):
        bits, start = rng.uniform(0, 2e7), step * rng.integers(3000)
        sent = np.cumsum(rates[round(start / step) :]) * step
        slow = (int(np.searchsorted(sent, bits)) + 1) * step
        assert link.seconds(bits, start) == pytest.approx(slow, abs=2 * step)


def test_exponential():
    """The mean is that asked for; the same generator draws the same."""
    link = ExponentialLink(0.2)
    draws = [link.seconds(1.0, 0.0, rng) for rng in [np.random.default_rng(3)] for _ in range(4000)]
    assert np.mean(draws) == pytest.approx(0.2, abs=3 * 0.2 / np.sqrt(4000))
    assert link.seconds(9.0, 5.0, np.random.default_rng(3)) == draws[0]
    assert ExponentialLink(0.0).seconds(1.0, 0.0, np.random.default_rng(0)) == 0.0


def test_generators():
    """Seeded; a Markov trace stays as often as asked, the other has its median and correlation."""
    for make in (markov_trace, ar1_trace):
        assert np.array_equal(make(50, 1).mbit_s, make(50, 1).mbit_s)
        assert not np.array_equal(make(50, 1).mbit_s, make(50, 2).mbit_s)
    rates = markov_trace(4000, 0, stay=0.8, rates=(1.0, 2.0, 4.0)).mbit_s
    assert set(rates) == {1.0, 2.0, 4.0}
    assert np.mean(rates[1:] == rates[:-1]) == pytest.approx(0.8, abs=3 * 0.4 / np.sqrt(4000))
    logs = np.log(ar1_trace(20_000, 0, median=5.0, spread=0.4, correlation=0.7, step=0.5).mbit_s)
    assert logs.mean() == pytest.approx(np.log(5), abs=0.02)
    assert logs.std() == pytest.approx(0.4, abs=0.02)
    assert np.corrcoef(logs[1:], logs[:-1])[0, 1] == pytest.approx(0.7, abs=0.02)
    assert set(markov_trace(9, 0, rates=(3.0,)).mbit_s) == {3.0}


def test_file(tmp_path):
    """A CSV with a header or without, empty lines skipped."""
    for head in ("", "time,mbit_s\n"):
        path = tmp_path / "trace.csv"
        path.write_text(f"{head}0,2\n\n1.5,0.5\n")
        link = TraceLink.read(path, latency=0.25)
        assert link.times.tolist() == [0, 1.5, 3]
        assert link.mbit_s.tolist() == [2, 0.5]
        assert link.seconds(1e6) == 0.75


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,2\n3,1\n2,1\n", "trace.csv: times must rise: entry 2, 2.0, follows 3.0"),
        ("0,2\n1\n", "trace.csv, line 2: a time and a bandwidth are needed"),
        ("0,2\n1,x\n", "trace.csv, line 2: a time and a bandwidth are needed"),
        ("time,rate\n", "holds no line"),
        ("0,2\n1,-1\n", "mbit_s must be finite and at least 0; entry 1 is -1"),
    ],
)
def test_file_refused(tmp_path, text, message):
    """The sentence names the file and what is wrong in it."""
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        TraceLink.read(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExponentialLink(-1.0), "mean delay must be finite and at least 0"),
        (lambda: TraceLink([0, 1], [1]), "must be equally long"),
        (lambda: TraceLink([0, 0], [1, 1]), "times must rise: entry 1, 0.0, follows 0.0"),
        (lambda: TraceLink([0, np.nan], [1, 1]), "times must be finite"),
        (lambda: TraceLink([0, 1], [0, 0]), "nothing would ever arrive"),
        (lambda: TraceLink([0], [1], latency=-0.1), "latency must be finite and at least 0"),
        (lambda: TraceLink([0], [1]).seconds(-1), "bits and start must be at least 0"),
        (lambda: markov_trace(0, 0), "n must be at least 1"),
        (lambda: markov_trace(9, 0, stay=1.2), r"stay must lie in \[0, 1\]"),
        (lambda: ar1_trace(9, 0, correlation=1.0), r"correlation in \(-1, 1\)"),
    ],
)
def test_refused(make, message):
    """Numbers out of range are told."""
    with pytest.raises(ValueError, match=message):
        make()
