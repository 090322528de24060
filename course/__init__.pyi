from .data.held_out import hold_out as hold_out
from .judging.checking import check as check
from .judging.hints import hint as hint
from .judging.progress_table import progress as progress
from .models.backbones import load_backbone as load_backbone
from .models.freezing import freeze as freeze
from .models.freezing import unfreeze as unfreeze
from .models.heads import find_head as find_head
from .models.heads import replace_head as replace_head
from .models.parameter_groups import param_groups as param_groups
from .notebook.claims import claim as claim
from .notebook.questions import predict as predict
from .notebook.questions import quiz as quiz
from .notebook.questions import reveal as reveal
from .runtime import setup as setup
from .training.experiments import compare as compare
from .training.features import extract_features as extract_features
from .training.history import History as History
from .training.loop import evaluate as evaluate
from .training.loop import fit as fit
from .training.loop import train_one_epoch as train_one_epoch

__version__: str
