"""`python -m tests.benchmarks NAME [ARGUMENTS]` prints `NAME: value unit (bar B)` as its last line."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks as benchmarks
from course.errors import UnknownName


def main(arguments: list[str]) -> int:
    """Run the benchmark named first with the other arguments; 0, 1 for a bar that it missed, or 2 for a wrong name.

    A benchmark that cannot run on this machine says "not run" and why, which is no failure.
    """
    modules = [module for module in pkgutil.iter_modules(benchmarks.__path__) if not module.ispkg]
    names = sorted(module.name for module in modules if not module.name.startswith(("_", "test_")))
    if not arguments or arguments[0] not in names:
        problem = (
            UnknownName.of("benchmark", arguments[0], names) if arguments else f"choose one of: {', '.join(names)}"
        )
        print(problem, file=sys.stderr)
        return 2
    name, *rest = arguments
    figure = importlib.import_module(f"tests.benchmarks.{name}").measure(*rest)
    if figure is None:  # it has said why
        return 0
    for note in figure.notes:
        print(note)
    print(f"{name}: {figure.value:.4g} {figure.unit} (bar {figure.bar})")
    return int(figure.missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
