"""What learning is worth: DDPQN beside proved optima, other searches, PyTorch, Stable-Baselines3.

Five tables, chosen by ``--tables``:

* ``updates``: CPU microseconds of one update of the network (double, dueling, 50-20), ours beside
  PyTorch's fused Adam, batches of 64 and 256.
* ``regret``: five instances on which the myopic rule is not optimal (``learning_peers.CASES``): CPU
  seconds until the regret is 0, of the best plan played and of a greedy rollout, with the default
  options, with ``prior``, and the DQN of Stable-Baselines3 with the published settings but discount
  1 (rollouts only). Five seeds; a run that never gets there is said so.
* ``policies``: one policy learnt on 200 random draws of servers (or of weights), then one rollout
  on each of 100 instances that it has not seen.
* ``balance``: running Z with 4 and 12 tasks of each network, where all layers depend on each other:
  searches with ``--seconds`` each beside the optimum that ``offset-dp`` proves.
* ``pools``: 12 tasks on servers with pools, delay, energy and cost weighed: the same searches
  beside the bound that ``lagrangian`` certifies in ``--lagrangian-seconds``.

Rows of the last three are measured in processes of their own on one core, with ``--jobs 2`` two at
a time. The peers live in an interpreter named by ``--peer-python``; without them they are skipped.

The committed table: ``python benchmarks/learning.py --jobs 2 --seconds 5 --peer-python
PYTHON_WITH_SB3 --out benchmarks/results/learning.md``.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import learning_peers
import numpy as np
import processes
import reporting
from learning_peers import BATCHES, CASES
from reporting import Report, digits, percent

import optedge as oe
from optedge.formulations.offloading.episodes.waiting import make_episodes
from optedge.papers import ddpqn
from optedge.solvers.deep_q.learner import Learner
from optedge.solvers.deep_q.options import LEARNERS, DeepQOptions
from optedge.solvers.deep_q.rewards import Rewards
from optedge.solvers.registry import find_solver
from optedge.solvers.run import Run

TABLES = ("updates", "regret", "policies", "balance", "pools")
PEERS = Path(__file__).with_name("learning_peers.py")
COMPILING = 900.0  # seconds that a process may take beside its runs
SAME = 1e-9  # regret below it is none
LIMIT = 3.0  # CPU seconds to regret 0 that are aimed at; the median at a third of it
FACTORS = {64: 5.0, 256: 3.0}  # by which an update is to be cheaper than PyTorch's
LONG = {"preset": "long", "max_steps": 10**9}
SEARCHES = {
    "ddpqn": LONG,
    "dqn": LONG,
    "pso-ga": {},
    "annealing": {},
    "local-search": {},
    "greedy": {},
    "myopic": {},
}
SC = learning_peers.SC


def main() -> None:
    """Measure and print; or measure one row, if started by this script itself."""
    options = _arguments()
    if processes.measured_row(options.row, MEASURES):
        return
    chosen = processes.cores(options.jobs)
    report = Report(
        "Learning: regret, updates, policies, balance and pools",
        {
            "cores used": processes.cores_used(chosen),
            "instances": "ddpqn.instance(network, tasks, ...)",
            "seeds": ", ".join(str(seed) for seed in options.seeds),
            "limits": f"{options.seconds:g} s a search; compilation outside",
            "peers": _peer_versions(options.peer_python),
        },
        out=options.out,
    )
    failed: list[str] = []
    for name in options.tables:
        REPORTS[name](report, options, chosen, failed)
    report.close(failed)


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--seconds", type=float, default=10.0, help="limit of a search")
    parser.add_argument("--learning-seconds", type=float, default=60.0, help="of a policy")
    parser.add_argument("--regret-limit", type=float, default=20.0, help="CPU seconds of our runs")
    parser.add_argument("--peer-limit", type=float, default=300.0, help="CPU seconds of a peer's")
    parser.add_argument("--lagrangian-seconds", type=float, default=15.0, help="of the bound")
    parser.add_argument("--jobs", type=int, default=1, help="rows measured side by side")
    parser.add_argument(
        "--peer-python", default=sys.executable, metavar="PATH", help="a Python that has both peers"
    )
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.networks, options.cases, options.sizes = ddpqn.NETWORKS, list(CASES), (4, 12)
    options.updates, options.taught, options.unseen, options.tasks = 2000, 200, 100, 12
    if options.smoke:
        options.networks, options.cases, options.sizes = ddpqn.NETWORKS[:1], list(CASES)[:1], (4,)
        options.seeds, options.seconds, options.learning_seconds = [0], 0.5, 1.0
        options.regret_limit = options.peer_limit = 2.0
        options.updates, options.taught, options.unseen, options.tasks = 50, 4, 4, 4
        options.lagrangian_seconds = 0.5
    return options


# ------------------------------------------------------------------------------ peers


def _has_peers(python: str) -> bool:
    tried = [python, "-c", "import torch, stable_baselines3, gymnasium, optedge"]
    return subprocess.run(tried, capture_output=True).returncode == 0


def _peer_versions(python: str) -> str:
    if not _has_peers(python):
        return f"skipped: {Path(python).name} lacks torch or stable-baselines3 (see --peer-python)"
    asked = (
        "import torch, stable_baselines3 as s; print(f'PyTorch {torch.__version__}, "
        "Stable-Baselines3 {s.__version__}, one thread')"
    )
    return subprocess.run([python, "-c", asked], capture_output=True, text=True).stdout.strip()


def _peer(python: str, *arguments: str) -> dict[str, Any]:
    """Return what ``learning_peers.py`` prints."""
    command = [python, str(PEERS), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


# ------------------------------------------------------------------------------ updates


def _report_updates(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    ours = processes.in_a_process(
        __file__,
        {"measure": "updates", "updates": options.updates, "core": chosen[0]},
        COMPILING,
    )
    if "state" in ours:
        failed.append(f"updates: {ours['state']}.")
        return
    theirs: dict[str, Any] = {}
    if _has_peers(options.peer_python):
        theirs = _peer(options.peer_python, "torch-update", "--updates", str(options.updates))
    rows = []
    for batch in BATCHES:
        torch = theirs.get(f"batch_{batch}_us", math.nan)
        rows.append(
            {
                "batch": str(batch),
                "network alone, us": digits(ours[f"network_{batch}"]),
                "PyTorch, us": digits(torch),
                "times": digits(torch / ours[f"network_{batch}"]),
                "aim": f"{FACTORS[batch]:g}",
                "with replay and targets, us": digits(ours[f"whole_{batch}"]),
            }
        )
    report.table("Updates", rows)
    report.note(
        "Both sides: online network twice and target network once forward, gradient, Adam, on 34 "
        "features and 11 actions already in memory; CPU seconds, best of three rounds. The last "
        "column is a whole update of `ddpqn`: drawing by priority, gathering, targets, priorities."
    )


def _updates(updates: int) -> dict[str, float]:
    """Measure updates of the network alone, and of the whole learner."""
    problem = learning_peers.instance("AlexNet Mb")
    found = {}
    for batch in BATCHES:
        given = DeepQOptions(batch=batch)
        episodes = make_episodes([problem], "none")
        rewards = Rewards(episodes.least_costs, True)
        learner = Learner(episodes, rewards, LEARNERS["ddpqn"], given, np.random.default_rng(0))
        while learner.steps < 4000:
            learner.play()
        found[f"whole_{batch}"] = 1e6 * _cpu_seconds(learner.learn, updates)
        found[f"network_{batch}"] = 1e6 * _cpu_seconds(_bare_update(learner, batch), updates)
    return found


def _bare_update(learner: Learner, batch: int) -> Callable[[], Any]:
    """Return an update on random numbers, as ``learning_peers`` does it in PyTorch."""
    rng = np.random.default_rng(0)
    seen, later = rng.random((2, batch, learner.episodes.n_features)).astype(np.float32)
    actions, rows = rng.integers(0, learner.episodes.n_servers, batch), np.arange(batch)
    costs = rng.random(batch).astype(np.float32)
    going_on = (rng.random(batch) > 0.1).astype(np.float32)

    def update() -> None:
        best = learner.online.values(later).argmax(axis=1)
        targets = going_on * learner.target.values(later)[rows, best] - costs
        learner.online.learn(seen, actions, targets, 1.0, 1e-3, True)

    return update


def _cpu_seconds(call: Any, times: int) -> float:
    """Return the CPU seconds of a call, the best of three rounds after one to warm up."""
    rounds = []
    for count in (min(times, 200), times, times, times):
        began = time.process_time()
        for _ in range(count):
            call()
        rounds.append((time.process_time() - began) / count)
    return min(rounds[1:])


# ------------------------------------------------------------------------------ regret


def _report_regret(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    peers = _has_peers(options.peer_python)
    report.table("Regret 0: CPU seconds, one core", _regret_rows(options, chosen, failed, peers))
    report.note(
        "Best plan: the best that was played or rolled out. Rollout: the plan that the network "
        "itself proposes without exploring, looked at every 50 updates (ours) or 100 steps (peer), "
        "outside the peer's clock and inside ours. First hits: a policy may lose the optimum "
        "again, and a network may hit it before it has learnt (updates 0: all on one server). "
        "A minus stands for a run that did not get there within "
        f"{options.regret_limit:g} (ours) or {options.peer_limit:g} CPU seconds (peer)."
    )


def _regret_rows(
    options: argparse.Namespace, chosen: list[int | None], failed: list[str], peers: bool
) -> Iterator[dict[str, Any]]:
    for name in options.cases:
        peer_median = math.nan
        runs: dict[str, list[tuple[float, float, float]]] = {}
        for label, extra in (("default", {}), ("prior", {"prior": True})):
            task = {
                "measure": "regret",
                "case": name,
                "seeds": options.seeds,
                "limit": options.regret_limit,
                "extra": extra,
            }
            found = processes.in_a_process(__file__, {**task, "core": chosen[0]}, COMPILING)
            if "state" in found:
                failed.append(f"regret of {name}: {found['state']}.")
                continue
            runs[f"ddpqn, {label}"] = [tuple(run) for run in found["runs"]]
        if peers:
            theirs = [
                _peer(
                    options.peer_python,
                    *("sb3", "--instance", name, "--seed", str(seed)),
                    *("--limit", str(options.peer_limit)),
                )
                for seed in options.seeds
            ]
            hits = [_number(run["seconds_to_zero"]) for run in theirs]
            steps = [max(0.0, _number(run["steps_to_zero"]) - 256) for run in theirs]
            runs["Stable-Baselines3 DQN"] = [
                (math.nan, s, u) for s, u in zip(hits, steps, strict=True)
            ]
            peer_median = statistics.median(hits)
        reporting.progress(f"{name}: done")
        for label, rows in runs.items():
            best, hit, updates = (list(column) for column in zip(*rows, strict=True))
            ours = label.startswith("ddpqn")
            yield {
                "instance": name,
                "learner": label,
                "best plan: each seed": _listed(best),
                "median": digits(statistics.median(best)) if ours else "-",
                "rollout: each seed": _listed(hit),
                "median of rollouts": digits(statistics.median(hit)),
                "updates": ", ".join("-" if math.isinf(u) else f"{u:.0f}" for u in updates),
                "peer's median over ours": digits(peer_median / statistics.median(hit))
                if ours
                else "-",
                "within": _within(best) if ours else "-",
            }


def _number(value: float | None) -> float:
    return math.inf if value is None else float(value)


def _listed(values: list[float]) -> str:
    return ", ".join("-" if not math.isfinite(v) else digits(v, 2) for v in values)


def _within(values: list[float]) -> str:
    inside = max(values) <= LIMIT and statistics.median(values) <= LIMIT / 3
    return f"yes ({LIMIT:g} s, median {LIMIT / 3:g})" if inside else "no"


def _regret(case: str, seeds: list[int], limit: float, extra: dict[str, Any]) -> dict[str, Any]:
    """Return CPU seconds to regret 0 of best plan and rollout, and updates to it, of each seed."""
    problem = learning_peers.instance(case)
    optimum = learning_peers.optimum(problem)
    oe.solve(problem, "ddpqn", bound=False, max_steps=2000, **extra)  # imports and kernels
    return {"runs": [_hits(problem, optimum, seed, limit, extra) for seed in seeds]}


def _hits(
    problem: oe.OffloadingProblem, optimum: float, seed: int, limit: float, extra: dict[str, Any]
) -> tuple[float, float, float]:
    began = time.process_time()
    best = hit = updates = math.inf

    def look(run: Run) -> bool:
        nonlocal best, hit, updates
        now = time.process_time() - began
        if run.objective - optimum <= SAME:
            best = min(best, now)
        last = run.info.get("last_rollout")
        if last is not None and last[1] - optimum <= SAME:
            hit, updates = now, float(last[0])
        return math.isfinite(hit) or now > limit

    oe.solve(problem, "ddpqn", seed=seed, bound=False, max_steps=10**9, callback=look, **extra)
    return best, hit, updates


# ------------------------------------------------------------------------------ policies


POLICIES = (
    ("alexnet", "servers"),
    ("vgg19", "servers"),
    ("resnet101", "servers"),
    ("alexnet", "weights"),
)


def _report_policies(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    cases = POLICIES[:1] if options.smoke else POLICIES
    tasks = [
        {
            "measure": "policy",
            "network": network,
            "drawn": drawn,
            "taught": options.taught,
            "unseen": options.unseen,
            "seconds": options.learning_seconds,
        }
        for network, drawn in cases
    ]
    report.table(
        f"Policies: taught on {options.taught} instances for {options.learning_seconds:g} s, "
        f"{options.unseen} unseen",
        _policy_rows(tasks, chosen, failed),
    )
    report.note(
        "Sizes in Mb, objective SC; seed 0. Regret is (value - optimum) / (all on the client - "
        "optimum), the optimum by dynamic programming. Servers: clocks and prices drawn in the "
        "published ranges. Weights: those of delay, energy and cost drawn from the simplex."
    )


def _policy_rows(
    tasks: list[dict[str, Any]], chosen: list[int | None], failed: list[str]
) -> Iterator[dict[str, Any]]:
    labelled = [(f"policy of {task['network']}, {task['drawn']}", task) for task in tasks]
    for task, found in processes.finished(__file__, labelled, chosen, COMPILING, failed):
        for who in ("policy", "myopic"):
            regrets = found[who]
            yield {
                "network": task["network"],
                "drawn": task["drawn"],
                "who": who,
                "mean regret": percent(statistics.mean(regrets)),
                "median": percent(statistics.median(regrets)),
                "worst": percent(max(regrets)),
                "optimal": str(sum(r <= SAME for r in regrets)),
                "mean gap to the optimum": percent(statistics.mean(found[f"{who} gap"])),
                "ms an instance": digits(found["ms"]) if who == "policy" else "-",
            }


def _policy(network: str, drawn: str, taught: int, unseen: int, seconds: float) -> dict[str, Any]:
    """Teach a policy, and return its regrets and those of the myopic rule."""
    problems = [_draw(network, drawn, seed) for seed in range(unseen + taught)]
    policy = oe.learn_policy(
        problems[unseen:],
        time_limit=seconds,
        max_steps=10**9,
        explore_steps=40_000,
        memory=60_000,
        learning_rate=3e-3,
    )
    found: dict[str, Any] = {"policy": [], "myopic": [], "policy gap": [], "myopic gap": []}
    spent = 0.0
    for problem in problems[:unseen]:
        bias = problem.discount_bias(0.0)
        worst = problem.objective(np.zeros(problem.n_subtasks, dtype=np.int64))
        began = time.perf_counter()
        plan = policy.plan(problem)
        spent += time.perf_counter() - began
        for who, value in (("policy", problem.objective(plan)), ("myopic", bias.value)):
            found[who].append((value - bias.optimum) / (worst - bias.optimum))
            found[f"{who} gap"].append((value - bias.optimum) / value)
    return {**found, "ms": 1e3 * spent / unseen}


def _draw(network: str, drawn: str, seed: int) -> oe.OffloadingProblem:
    if drawn == "servers":
        return ddpqn.instance(network, data_unit="Mb", weights=SC, seed=seed)
    theta, vartheta, eta = np.random.default_rng(seed).dirichlet([1.0, 1.0, 1.0])
    weights = {**SC, "theta": theta, "vartheta": vartheta, "eta": eta}
    return ddpqn.instance(network, data_unit="Mb", weights=weights)


# ------------------------------------------------------------------------------ searches


def _report_balance(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    for n in options.sizes:
        for network in options.networks:
            given = {"network": network, "n_tasks": n, "kind": "balance"}
            rows = _search_rows(given, options, chosen, failed, "offset-dp", 120.0)
            report.table(f"Running Z: {n} tasks of {network}, {options.seconds:g} s", rows)
    report.note(
        "Regret is value - optimum (values are near 0: a ratio would say nothing), the optimum "
        "proved by `offset-dp`. Rollout: the plan that the network itself proposes in the end, its "
        "median. `ddpqn` and `dqn` with the preset long. What is deterministic runs once."
    )


def _report_pools(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    for network in options.networks:
        given = {"network": network, "n_tasks": options.tasks, "kind": "pools"}
        rows = _search_rows(
            given, options, chosen, failed, "lagrangian", options.lagrangian_seconds
        )
        title = f"Pools: {options.tasks} tasks of {network}, SC, {options.seconds:g} s"
        report.table(title, rows)
    report.note(
        "Pools as in the EosDNN paper (1, 2, 8), order of arrival; regret is value - bound, with "
        "the bound that `lagrangian` certifies; its own value is a planned schedule, which order "
        "of arrival may not reach even with the best servers."
    )


def _search_rows(
    given: dict[str, Any],
    options: argparse.Namespace,
    chosen: list[int | None],
    failed: list[str],
    prover: str,
    seconds: float,
) -> Iterator[dict[str, Any]]:
    label = f"{given['n_tasks']} tasks of {given['network']}, {given['kind']}"
    task = {"measure": "searches", **given}
    first = {**task, "solver": prover, "seeds": [0], "seconds": seconds}
    others = [
        {**task, "solver": name, "seeds": options.seeds, "seconds": options.seconds}
        for name in SEARCHES
    ]
    allowed = COMPILING + 3 * max(seconds, len(options.seeds) * options.seconds)
    bound = math.nan
    labelled = [(f"{task['solver']} on {label}", task) for task in (first, *others)]
    for task, found in processes.finished(__file__, labelled, chosen, allowed, failed):
        name = task["solver"]
        if name == prover:
            bound = found["bound"]
        values = found["values"]
        if min(values) < bound - 1e-7 * abs(bound):
            raise AssertionError(f"{name}: value {min(values)} below the bound {bound}.")
        regrets = [value - bound for value in values]
        yield {
            "solver": name,
            "runs": str(len(values)),
            "best value": f"{min(values):.6f}",
            "bound": f"{bound:.6f}" if name == prover else "",
            "median regret": f"{statistics.median(regrets):.4f}",
            "least": f"{min(regrets):.4f}",
            "most": f"{max(regrets):.4f}",
            "median gap": percent(
                statistics.median((v - bound) / max(abs(v), abs(bound)) for v in values)
            ),
            "rollout's regret": f"{found['rollout'] - bound:.4f}" if "rollout" in found else "",
            "seconds a run": digits(found["seconds"]),
        }


def _searches(
    network: str, n_tasks: int, kind: str, solver: str, seeds: list[int], seconds: float
) -> dict[str, Any]:
    """Run one solver with each seed; what is deterministic with the first one."""
    fields: dict[str, Any] = {} if kind == "balance" else {"pools": "eosdnn", "weights": SC}
    extra = SEARCHES.get(solver, {})
    oe.solve(ddpqn.instance("alexnet", 2, **fields), solver, time_limit=0.5, **extra)  # kernels
    problem = ddpqn.instance(network, n_tasks, **fields)
    used = seeds[:1] if find_solver(solver).deterministic else seeds
    exact = solver in ("offset-dp", "lagrangian")
    runs = [
        oe.solve(problem, solver, seed=seed, time_limit=seconds, bound=exact, **extra)
        for seed in used
    ]
    if any(run.stop_reason == "interrupted" for run in runs):
        raise KeyboardInterrupt
    found: dict[str, Any] = {
        "values": [run.objective for run in runs],
        "seconds": statistics.median(run.runtime for run in runs),
    }
    if exact:
        check = oe.verify(runs[0])
        if not check or check.verdict != "certified":
            raise AssertionError(check.message)
        found["bound"] = check.certified_bound
    if "rollout" in runs[0].info:
        found["rollout"] = statistics.median(run.info["rollout"] for run in runs)
    return found


MEASURES = {"updates": _updates, "regret": _regret, "policy": _policy, "searches": _searches}
REPORTS = {
    "updates": _report_updates,
    "regret": _report_regret,
    "policies": _report_policies,
    "balance": _report_balance,
    "pools": _report_pools,
}


if __name__ == "__main__":
    main()
