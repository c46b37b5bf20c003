"""A procedural patient from a seed: abdomen, liver, vessels and two enhancing lesions, clearly labelled synthetic."""

from hccoutcome.phantom.patient import phantom_case
from hccoutcome.phantom.settings import PHASES, PhantomSettings
from hccoutcome.phantom.writing import write_phantom

__all__ = ["PHASES", "PhantomSettings", "phantom_case", "write_phantom"]
