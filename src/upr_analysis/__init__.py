"""A reproducible research compendium for stakeholder consultations."""

__version__ = "0.1.0"
