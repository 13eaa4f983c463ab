"""The command ``optedge``: solve, compare, reproduce, solvers, generate, import, export."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Edge-cloud scheduling: exact optima, published heuristics and proved gaps.",
)

FileArgument = Annotated[Path, typer.Argument(help="A problem saved by optedge, or an rcmax .txt.")]
TimeOption = Annotated[float, typer.Option("--time-limit", "-t", help="Seconds per run.")]
OptionOption = Annotated[
    list[str] | None, typer.Option("--option", "-o", help="Solver option, name=value; repeatable.")
]


def main() -> None:
    """Run the command line; what a user got wrong becomes one line and exit code 2."""
    try:
        app()
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"optedge: {error}", file=sys.stderr)
        sys.exit(2)


# ------------------------------------------------------------------------------ commands


@app.command()
def solve(
    file: FileArgument,
    solver: Annotated[str, typer.Argument(help="Name of a solver; see `optedge solvers`.")],
    time_limit: TimeOption = 60.0,
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 0,
    max_evaluations: Annotated[int | None, typer.Option(help="Candidates to price.")] = None,
    option: OptionOption = None,
    out: Annotated[Path | None, typer.Option(help="Save the result here (JSON).")] = None,
    plot: Annotated[Path | None, typer.Option(help="Save a Gantt chart here.")] = None,
) -> None:
    """Solve one instance and print objective, proved bound and gap. Exit code 1: no solution."""
    from optedge import files, plots
    from optedge.solvers import front
    from optedge.solvers.verification import verify

    problem = _read(file)
    result = front.solve(
        problem,
        solver,
        seed=seed,
        time_limit=time_limit,
        max_evaluations=max_evaluations,
        display=sys.stderr.isatty(),
        **_options(option),
    )
    checked = verify(result)
    rows = [
        ("instance", problem.label),
        ("solver", result.solver),
        ("status", f"{result.status} ({result.stop_reason})"),
        ("objective", f"{result.objective:.9g} {problem.unit}"),
        ("bound", f"{result.bound:.9g} {problem.unit} ({checked.verdict})"),
        ("gap", f"{result.gap:.4%}"),
        ("seconds", f"{result.runtime:.3f} (+ {result.info['bound_seconds']:.3f} for the bound)"),
        ("evaluations", f"{result.evaluations}"),
    ]
    if "reason" in result.info:
        rows.append(("reason", str(result.info["reason"])))
    if "refused" in result.info and result.solution is None:
        rows.append(("refused", str(result.info["refused"])))
    for name, value in rows:
        print(f"{name:<12} {value}")
    if out is not None:
        files.save(result, out)
    if result.solution is None:
        raise typer.Exit(1)
    if plot is not None:
        _save_figure(plots.gantt(problem, result.solution, bound=result.bound).figure, plot)


@app.command()
def compare(
    files: Annotated[list[Path], typer.Argument(help="Problems to solve.")],
    solver: Annotated[
        list[str] | None,
        typer.Option("--solver", "-s", help="A solver; repeatable; all that fit by default."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds.")] = 5,
    time_limit: TimeOption = 10.0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Runs at the same time.")] = 1,
    store: Annotated[Path | None, typer.Option(help="Keep finished runs here; resumes.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Save a row a run here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Save a figure of the gaps here.")] = None,
) -> None:
    """Run several solvers on several instances and print gaps to the best proved bounds."""
    from optedge import plots, study
    from optedge.solvers.registry import all_solvers

    problems = [_read(file) for file in files]
    names = solver or [s.name for s in all_solvers() if any(s.accepts(p) for p in problems)]
    done = study.compare(
        problems,
        names,
        seeds=seeds,
        time_limit=time_limit,
        n_jobs=jobs,
        store=store,
        display=sys.stderr.isatty(),
    )
    _print_table(done.summary())
    for message in dict.fromkeys(done.runs["message"]):
        if message:
            print(message)
    if csv is not None:
        done.runs.to_csv(csv, index=False)
    if plot is not None:
        _save_figure(plots.gaps(done).figure, plot)
    if not done.runs["objective"].lt(math.inf).any():
        raise typer.Exit(1)


@app.command()
def reproduce(
    paper: Annotated[str, typer.Argument(help="Name of a paper, such as edge-learning.")],
    part: Annotated[
        list[str] | None, typer.Option("--part", "-p", help="Only this part; repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Instances per point of a figure.")] = 5,
    time_limit: Annotated[float | None, typer.Option(help="Seconds per run.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for tables and figures.")] = Path("results"),
) -> None:
    """Check the claims of a paper; print the tables and save them with the figures."""
    module = _paper(paper)
    if not hasattr(module, "reproduce"):
        raise ValueError(
            f"{paper} has instances (optedge generate), its claims are not checked yet."
        )
    claims = module.reproduce(part, seeds=seeds, time_limit=time_limit)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in claims.attrs["tables"].items():
        table.to_csv(out / f"{paper}, {name}.csv", index=False)
        if len(table) <= 60:
            _print_table(table, title=name)
    claims.to_csv(out / f"{paper}, claims.csv", index=False)
    _print_table(claims, title=f"claims of {paper}")
    for name, draw in claims.attrs["figures"].items():
        _save_figure(draw(), out / f"{paper}, {name}.png")


@app.command()
def solvers(
    name: Annotated[str | None, typer.Argument(help="Show the options of this solver.")] = None,
    file: Annotated[Path | None, typer.Option(help="Only solvers that accept this.")] = None,
) -> None:
    """List the solvers with what they guarantee, or the options of one."""
    import pandas as pd

    from optedge.solvers.registry import find_solver, list_solvers, range_text

    if name is None:
        table = list_solvers(None if file is None else _read(file))
        _print_table(table[["name", "kind", "guarantee", "source"]])
        return
    found = find_solver(name)
    print(f"{found.name}: {found.kind}; guarantee: {found.guarantee}; source: {found.source}")
    print(" ".join((found.function.__doc__ or "").split("\n\n")[0].split()))
    fields = dataclasses.fields(found.options) if found.options else ()
    rows = [
        {
            "option": f.name,
            "default": f.default,
            "range": range_text(f.metadata),
            "meaning": f.metadata.get("help", ""),
        }
        for f in fields
    ]
    if rows:
        _print_table(pd.DataFrame(rows))


@app.command()
def generate(
    paper: Annotated[str, typer.Argument(help="Whose instances, such as edge-learning.")],
    out: Annotated[Path, typer.Option(help="File to write (JSON).")],
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="Argument of the instance, name=value; repeatable."),
    ] = None,
) -> None:
    """Draw an instance of a published experiment and save it: -o stage=1 -o n_tasks=60."""
    from optedge import files

    problem = _paper(paper).instance(**_options(option))
    files.save(problem, out)
    print(f"{problem.label} -> {out}")


@app.command("import")
def import_network(
    file: Annotated[Path, typer.Argument(help="An ONNX model.")],
    out: Annotated[Path, typer.Option(help="File to write, .json or .csv.")],
    profile: Annotated[bool, typer.Option("--profile", help="Measure each layer here.")] = False,
    batch: Annotated[int, typer.Option(help="Batch size where the model leaves it open.")] = 1,
    fold: Annotated[
        bool, typer.Option(help="Activations, norms, ... join the layer before.")
    ] = True,
) -> None:
    """Read the layers of an ONNX model, print a summary and save them as a network."""
    from optedge import networks

    if out.suffix not in (".json", ".csv"):
        raise ValueError(f"{out}: the ending must be .json or .csv.")
    graph = networks.from_onnx(file, batch=batch, fold=fold)
    if profile:
        graph = networks.profile_onnx(file, graph, batch=batch)
    (graph.to_json if out.suffix == ".json" else graph.to_csv)(str(out))
    rows = [
        ("network", graph.name),
        ("layers", f"{graph.n_layers}"),
        ("edges", f"{graph.n_edges}"),
        ("work", f"{graph.flops.sum() / 1e9:.6g} GFLOP"),
        ("parameters", f"{graph.parameters.sum():,.0f}"),
        ("cut vertices", f"{len(graph.cut_vertices)}"),
    ]
    if graph.seconds is not None:
        rows.append(("seconds", f"{graph.seconds.sum():.6g}"))
    for name, value in rows:
        print(f"{name:<12} {value}")
    print(f"{graph.name} -> {out}")


@app.command()
def export(
    file: FileArgument,
    lp: Annotated[Path | None, typer.Option("--lp", help="Write an LP file here.")] = None,
    mps: Annotated[Path | None, typer.Option("--mps", help="Write an MPS file here.")] = None,
    kind: Annotated[str | None, typer.Option(help="Which explicit model.")] = None,
    relax: Annotated[bool, typer.Option(help="Without integrality.")] = False,
) -> None:
    """Write an explicit model for another solver, with the names of the maths."""
    if lp is None and mps is None:
        raise ValueError("say where to write: --lp FILE or --mps FILE.")
    problem = _read(file)
    model = problem.model(kind, relax=relax)
    for target, form in ((lp, "lp"), (mps, "mps")):
        if target is not None:
            model.write(str(target), format=form, io_options={"symbolic_solver_labels": True})
            print(f"{problem.label} -> {target}")


# ------------------------------------------------------------------------------ helpers


def _read(file: Path) -> Any:
    """Return the problem in a file: optedge JSON, or a format that a problem class reads."""
    from optedge import files
    from optedge.formulations.base import Problem

    thing = files.load(file)
    if not isinstance(thing, Problem):
        raise ValueError(f"{file} holds a {type(thing).__name__}, a problem is expected.")
    return thing


def _options(given: list[str] | None) -> dict[str, Any]:
    """Return name=value pairs as a dict; values are read as JSON, else as text."""
    options: dict[str, Any] = {}
    for text in given or []:
        name, found, value = text.partition("=")
        if not found:
            raise ValueError(f"an option is given as name=value, got {text!r}.")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def _paper(name: str) -> Any:
    """Return the module of a paper."""
    import optedge.papers as package

    known = [module.replace("_", "-") for module in package.__all__]
    if name not in known:
        raise ValueError(f"there is no paper {name!r}; the papers are {', '.join(known)}.")
    return importlib.import_module(f"optedge.papers.{name.replace('-', '_')}")


def _print_table(table: pd.DataFrame, title: str | None = None) -> None:
    """Print a table, in colour in a terminal."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for column in table.columns:
        numeric = table[column].dtype.kind in "if"
        shown.add_column(str(column), justify="right" if numeric else "left", overflow="fold")
    for row in table.itertuples(index=False):
        cells = zip(table.columns, row, strict=True)
        shown.add_row(*[_cell(str(column), value) for column, value in cells])
    width = None if sys.stdout.isatty() else 160
    Console(width=width).print(shown)


def _cell(column: str, value: Any) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "-"
        if "gap" in column:
            return f"{100 * value:.5f} %" if math.isfinite(value) else "inf"
        return f"{value:.5g}"
    return str(value)


def _save_figure(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=150)
    print(f"figure -> {path}")
