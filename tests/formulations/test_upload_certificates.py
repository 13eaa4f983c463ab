"""Certificates of the recursion on intervals: another argument proves the same bound, or none."""

import dataclasses
import math

import numpy as np
import pytest
from conftest import seeds
from uploads import best_of_all_orders, random_upload, worked_example

import optedge as oe
from optedge.formulations.base import Certificate
from optedge.formulations.upload import UploadProblem
from optedge.formulations.upload.exact import certificates, intervals


def certificate_of(problem):
    """Return the certificate of the optimum by intervals."""
    return certificates.make(intervals.best_order(problem, lift=True))


def claiming(last):
    """Return a certificate that names other last layers."""
    return Certificate(certificates.KIND, 0.0, {"last": last})


@pytest.mark.parametrize("seed", seeds(400, 40))
def test_certificates_prove_the_value_to_the_last_digit(seed):
    """The bound of the other argument is that of the recursion, with several chains too."""
    problem = random_upload(seed, 4 + seed % 9, chains=1 + seed % 2, wide=seed % 3 == 0)
    certificate = certificate_of(problem)
    assert problem.certify(certificate) == certificate.value


@pytest.mark.parametrize("seed", seeds(200, 30))
def test_no_claim_leads_above_the_optimum(seed):
    """Any claimed last layers prove a bound that holds, the optimum, or nothing."""
    problem = random_upload(seed, 5, chains=1 + seed % 2)
    honest = certificate_of(problem)
    least = best_of_all_orders(problem)
    rng, last = np.random.default_rng(seed), honest.arrays["last"].copy()
    for entry in range(last.size):
        changed = last.copy()
        changed[entry] = rng.integers(0, 5)
        try:
            value = problem.certify(claiming(changed))
        except ValueError as error:
            assert "is not among" in str(error)
        else:
            assert value == -math.inf or value <= least * (1 + 1e-12)
            assert value == -math.inf or value == honest.value


def test_wrong_last_layers_prove_nothing():
    """If a layer is said to be last that is not, the function that follows is too low."""
    problem = worked_example()
    certificate = certificate_of(problem)
    assert problem.certify(certificate) == 2077
    proved = []
    for entry, places in enumerate([1] * 4 + [2] * 3 + [3] * 2 + [4]):
        first = entry - (0, 4, 7, 9)[places - 1]
        for k in range(first, first + places):
            changed = certificate.arrays["last"].copy()
            if k != changed[entry]:
                changed[entry] = k
                proved.append(problem.certify(claiming(changed)))
    assert set(proved) <= {2077, -math.inf}
    assert proved.count(-math.inf) >= 5


def test_a_tampered_result_is_not_verified():
    """A larger value, a larger bound or another table is seen through."""
    result = oe.solve(worked_example(), "interval-dp")
    assert oe.verify(result).verdict == "certified"
    honest = result.certificate
    larger = Certificate(honest.kind, 2078.0, honest.arrays)
    assert not oe.verify(dataclasses.replace(result, certificate=larger))
    assert not oe.verify(dataclasses.replace(result, bound=2077.001))
    last = honest.arrays["last"].copy()
    last[-1] = (last[-1] + 1) % 4
    other = Certificate(honest.kind, honest.value, {"last": last})
    assert oe.verify(dataclasses.replace(result, certificate=other)).verdict == "does not prove it"


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ([0, 1, 2], "needs the array 'last' of 10 layers"),
        ([0.5] * 10, "needs the array 'last' of 10 layers"),
        ([math.nan] * 10, "needs the array 'last' of 10 layers"),
        ([0, 1, 2, 3, 0, 1, 2, 0, 0, 2], "'last': 0 is not among 1 to 3"),
    ],
)
def test_malformed_certificates_are_refused(last, sentence):
    """The sentence names the array."""
    with pytest.raises(ValueError, match=sentence):
        worked_example().certify(claiming(np.array(last, dtype=float)))


def test_certificates_of_longer_chains_survive_a_file(tmp_path):
    """Beyond the layers for which floats help, saved and loaded, the bound is certified."""
    rng = np.random.default_rng(2)
    n = intervals.FEW_LAYERS + 4
    problem = UploadProblem(*rng.uniform(0, 9, (4, n)), np.zeros(n), rng.uniform(1, 9, n))
    result = oe.solve(problem, "interval-dp")
    oe.save(result, tmp_path / "plan.json")
    check = oe.verify(oe.load(tmp_path / "plan.json"))
    assert check.verdict == "certified", check.message
