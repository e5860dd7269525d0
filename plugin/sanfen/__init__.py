"""三分: chat middleware that knows how fast a person answered."""

__version__ = "0.1.0"
