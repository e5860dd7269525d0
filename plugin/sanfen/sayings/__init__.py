"""What errors and findings say, in Chinese, by their English: ``SAID``. ``sanfen.catalogue.said`` looks it up.

A sentence stands in English where it is raised, and once more here, with the same values. ``tests/test_catalogue.py`` reads
them out of the source: one that is missing here, or that nobody raises any more, fails.
"""

from sanfen.sayings.adapters import ADAPTERS
from sanfen.sayings.configuration import CONFIGURATION
from sanfen.sayings.events import EVENTS
from sanfen.sayings.outside import OUTSIDE
from sanfen.sayings.questions import QUESTIONS
from sanfen.sayings.service import SERVICE

__all__ = ["SAID"]

SAID: dict[str, str] = {**OUTSIDE, **CONFIGURATION, **EVENTS, **QUESTIONS, **SERVICE, **ADAPTERS}
