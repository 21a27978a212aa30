"""The MLflow side: a mirror of the records that people compare runs in. The only package that imports MLflow."""

from ablate.mirror import NullMirror as NullTracker
from ablate.tracking.base import DEFAULT_URI, Shown, Tracker
from ablate.tracking.runs import MLflowTracker

__all__ = ["DEFAULT_URI", "MLflowTracker", "NullTracker", "Shown", "Tracker"]
