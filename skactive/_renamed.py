"""Names that have changed, for names stored in files: an old one is an error that gives the new."""

from __future__ import annotations

# Per function or class, the old and the new names of its parameters.
RENAMED: dict[str, dict[str, str]] = {
    "run_experiment": {"batch_size": "n_instances"},
    "BatchBALD": {"n_samples": "n_configurations"},
}
