"""The stages as plain functions of a settings dataclass, and how scripts run them."""
