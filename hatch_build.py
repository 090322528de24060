"""What goes into the wheel besides the package: the learner's notebooks, without outputs, and pages of docs/.

They are made from notebooks/ and docs/ when the wheel is built, and lie in course/learner_files/ there, where
`course.notebook.workspace.find_originals` finds them. An editable installation uses notebooks/ itself.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LearnerFiles(BuildHookInterface):
    """Adds course/learner_files/ to a wheel; `pages` in pyproject.toml names the pages."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the notebooks without outputs to a temporary folder, from which hatchling packs them."""
        if version == "editable":
            return
        self._unpacked = tempfile.TemporaryDirectory(prefix="course-notebooks-")
        packed = {str(Path(self.root, page)): page for page in self.config["pages"]}
        notebooks = sorted(Path(self.root, "notebooks").glob("*.ipynb"))
        if not notebooks:
            raise FileNotFoundError(f"there are no notebooks in {self.root}/notebooks to put into the wheel")
        for notebook in notebooks:
            bare = Path(self._unpacked.name, notebook.name)
            bare.write_text(without_outputs(notebook.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
            packed[str(bare)] = f"notebooks/{notebook.name}"
        build_data["force_include"] |= {source: f"course/learner_files/{name}" for source, name in packed.items()}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if version != "editable":
            self._unpacked.cleanup()


def without_outputs(text: str) -> str:
    """A notebook's text without outputs and execution counts, in the form of `course.notebook.notebook_files.text`."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
