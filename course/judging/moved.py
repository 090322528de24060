"""Modules that have moved: where each lay, where it lies now, and what to write instead of an old import.

A notebook that was begun with an earlier version of the course keeps its imports, and in Jupyter they fail. In an
answer that is read from a file they count; see `translation`.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from dataclasses import dataclass
from functools import lru_cache

# Where each lay below `course`, and where it lies now.
_TABLE = """
attribution        inspection.attribution
averaging          models.interpolation
bars               notebook.progress_bars
boxes              applications.box_viewer
calibration        inspection.calibration
capstone           capstone.handing_in
checkpoints        training.checkpoints
claims             notebook.claims
compression        models.compression
corruptions        inspection.corruptions
detection          applications.detection
data.hub           data.huggingface
data.loading       data.loaders
data.petfiles      data.pet_files
data.words         data.sentence_templates
distillation       training.distillation
doctor             cli.diagnosis
engine             training.engine
exercises.following          exercises.tensor_comparison
exercises.narrow             exercises.small_models
exercises.narrow_segmenters  exercises.small_segmenters
experiments        training.experiments
features           training.features
feeding            training.batches
footprint          zoo.cost
foreign_onnx       zoo.untrusted_onnx
foreign_weights    zoo.untrusted_weights
from_keras         zoo.from_keras
full_profile       zoo.full_profile
history            training.history
keras_zoo          zoo.keras_models
lora               models.lora
measures           training.metrics
model_card         capstone.model_card
onnx_file          applications.onnx_export
overlap            applications.iou
overlays           applications.mask_viewer
plots              notebook.plots
predictor          applications.predictor
preprocessing      applications.preprocessing
pretraining        models.pretraining
recall             notebook.spaced_repetition
record             notebook.record
schedules          training.schedules
segmentation       applications.segmentation
spans              applications.spans
tensor_header      zoo.safetensors_header
text               applications.text_models
training           training.loop
uploads            applications.uploads
weights            models.weights
whole_file         files
widgets            notebook.questions
workspace          notebook.workspace
zoo                zoo.published
"""
MOVED = {f"course.{old}": f"course.{new}" for old, new in (line.split() for line in _TABLE.strip().splitlines())}

# What has another name now, or has gone elsewhere than the rest of its module.
_NAMES = """
attribution.enlarge            inspection.attribution.upsample_maps
attribution.share_inside       inspection.attribution.fraction_inside_box
attribution.without_each_word  inspection.attribution.leave_one_word_out
compression.packed_mib         models.compression.zip_size_mib
compression.prune_smallest     models.compression.prune_by_magnitude
compression.run_onnx           models.compression.load_onnx
data.emoji.thing_picture       data.emoji.object_picture
data.hub.entities              data.text_datasets.entities
data.hub.reviews               data.text_datasets.reviews
data.picture_table.find_duplicates  data.duplicates.find_duplicates
data.pictures.open_picture     data.picture_files.open_picture
distillation.imitation_loss    training.distillation.soft_target_loss
distillation.teacher_of        training.distillation.make_teacher
foreign_weights.kind_of        zoo.untrusted_weights.detect_format
overlap.Overlap                applications.iou.SegmentationScores
overlap.measure_overlap        applications.iou.measure_iou
pretraining.Batches            models.pretraining.GeneratedBatches
pretraining.MaskedWords        models.pretraining.MaskedLanguageModel
segmentation.Maps              applications.segmenter.FeatureMaps
segmentation.SceneTensors      applications.segmentation.SegmentationTransform
segmentation.Segmenter         applications.segmenter.Segmenter
segmentation.Trunk             applications.segmenter.MultiScaleBackbone
segmentation.Upper             applications.segmenter.UpperStages
segmentation.load_segmenter    applications.segmenter.load_segmenter
spans.IGNORED                  applications.spans.IGNORE_INDEX
text.TextData                  applications.tokenization.TextDataset
text.encode                    applications.tokenization.tokenize
text.load_tokenizer            applications.tokenization.load_tokenizer
text.with_lora                 applications.text_models.add_peft_lora
zoo.SWAG                       zoo.published.SWAG_LICENCE
"""
RENAMED = {f"course.{old}": f"course.{new}" for old, new in (line.split() for line in _NAMES.strip().splitlines())}
# These names are packages now, so that importing them works; what was defined in them lies one level deeper.
PACKAGES = {old for old, new in MOVED.items() if new.startswith(f"{old}.")}


@dataclass(frozen=True)
class OldImport:
    """A use of a module that has moved, and what to write instead. `fails`: this import itself raises by now."""

    old: str
    new: str
    instead: str
    binds: frozenset[str] = frozenset()
    fails: bool = True

    def __str__(self) -> str:
        return f"`{self.old}` is now `{self.new}`; write `{self.instead}`"

    @property
    def note(self) -> str:
        """What to say where the import was translated and so did no harm."""
        return f"`{self.old}` is now `{self.new}`; your import still counted, but Jupyter needs `{self.instead}`"


def explanation(error: BaseException) -> str:
    """Where to find what an import or an attribute asked for in vain; empty where nothing has moved."""
    if type(error) in (ImportError, ModuleNotFoundError):
        module = str(error.name)  # type: ignore[attr-defined]
        sought = re.match(r"cannot import name '(\w+)'", str(error))
    elif type(error) is AttributeError and inspect.ismodule(error.obj):
        module, sought = error.obj.__name__, re.fullmatch(r"(\w+)", str(error.name))
    else:
        return ""
    inner = f"{module}.{sought[1]}" if sought else module
    if inner in MOVED:
        instead = ast.unparse(import_of(MOVED[inner], inner.rpartition(".")[2]))
        return str(OldImport(inner, MOVED[inner], instead))
    if inner in RENAMED:
        return str(OldImport(inner, RENAMED[inner], ast.unparse(renamed_import(inner))))
    if sought and module in PACKAGES:
        return str(OldImport(module, MOVED[module], f"from {MOVED[module]} import {sought[1]}"))
    return ""


def import_of(module: str, name: str) -> ast.ImportFrom:
    """The import that binds a module to a name."""
    package, _, last = module.rpartition(".")
    return ast.ImportFrom(package, [ast.alias(last, None if last == name else name)], 0)


def renamed_import(old: str, name: str = "") -> ast.ImportFrom:
    """The import that binds what was called `old` to its new name, or to `name`."""
    module, _, now = RENAMED[old].rpartition(".")
    return ast.ImportFrom(module, [ast.alias(now, None if name in ("", now) else name)], 0)


@lru_cache(maxsize=1024)
def is_module(name: str) -> bool:
    """Whether there is a module of this name; those above it are imported to find out, not it itself."""
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
