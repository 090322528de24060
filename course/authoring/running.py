"""Run a notebook from top to bottom as the tests and `course build` do: quick profile, nobody watching."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from course.errors import AuthoringError
from course.extras import needed_for
from course.legible import legible
from course.notebook.notebook_files import METADATA

CELL_LIMIT_S = 600


def environment(home: Path, *, strict: bool) -> dict[str, str]:
    """The variables a notebook is run under: the caller's, with everything the course reads set for a build.

    `strict` makes a wrong answer raise; use it for solutions/, and not for notebooks/, which have no answers.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "NBGRADER_"))}
    return {
        **inherited,
        "COURSE_HOME": str(home),
        "COURSE_LIVE": "0",
        "COURSE_PROFILE": "quick",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **({"COURSE_STRICT": "1"} if strict else {}),
    }


def run(nb: NotebookNode, folder: Path, *, label: str, variables: Mapping[str, str]) -> NotebookNode:
    """A copy of the notebook with the outputs of a run in `folder`, free of times and machine details.

    Raises AuthoringError with `label`, the failing cell's id, what it printed and the traceback.
    """
    with needed_for("running a notebook"):
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class ThisInterpreter(AsyncKernelManager):
        """A kernel of the running Python, whichever "python3" the user's folders name."""

        @property
        def kernel_spec(self) -> Any:
            return _this_interpreter()

    nb = copy.deepcopy(nb)
    started: list[NotebookNode] = []
    client = NotebookClient(
        nb,
        kernel_manager_class=ThisInterpreter,  # a manager made here would be left running
        kernel_name="python3",
        timeout=CELL_LIMIT_S,
        record_timing=False,
        store_widget_state=False,
        on_cell_execute=lambda cell, cell_index: started.append(cell),
    )
    try:
        client.execute(cwd=str(folder), env=dict(variables))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        cell = started[-1] if started else None
        raise AuthoringError(_story(error, cell, label)) from error
    nb.metadata = copy.deepcopy(METADATA)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return nb


def _this_interpreter() -> Any:
    from ipykernel.kernelspec import make_ipkernel_cmd
    from jupyter_client.kernelspec import KernelSpec

    return KernelSpec(
        argv=make_ipkernel_cmd(extra_arguments=["--log-level=ERROR"]), display_name="Python 3", language="python"
    )


def _story(error: Exception, cell: NotebookNode | None, label: str) -> str:
    """What went wrong where, in the order a person asks for it."""
    if cell is None:
        return f"{label}: the kernel did not start ({error}); see that ipykernel is installed"
    printed = "".join(output["text"] for output in cell.outputs if output.output_type == "stream").rstrip()
    raised = next((output for output in cell.outputs if output.output_type == "error"), None)
    headline = f"{raised.ename}: {raised.evalue}" if raised else (str(error) or type(error).__name__).splitlines()[0]
    trace = legible("\n".join(raised.traceback)) if raised else str(error)
    return "\n".join(
        [
            f"{label}, cell {cell.id}: {headline}",
            "nothing was written; fix the cell in solutions/ and build again",
            f"--- printed by the cell ---\n{printed or '(nothing)'}",
            f"--- traceback ---\n{trace}",
        ]
    )


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs with neighbouring pieces of one stream put together: where a stream is cut is a matter of timing."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined
