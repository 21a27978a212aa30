"""ablate: of the fixes proposed for a training that misbehaves, which matter?"""

__version__ = "0.1.0"
