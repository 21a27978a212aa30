"""The MLflow side: a mirror of the records that people compare runs in. The only package that imports MLflow."""

from ablate.tracking.base import DEFAULT_URI, NullTracker, Tracker
from ablate.tracking.runs import MLflowTracker

__all__ = ["DEFAULT_URI", "MLflowTracker", "NullTracker", "Tracker"]
