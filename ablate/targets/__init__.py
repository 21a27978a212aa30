"""Trainings that ship with ablate. Torch and transformers are imported below this package alone."""
