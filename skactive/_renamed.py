"""Names that have changed, for what is kept in files: it is an error that says the new name."""

from __future__ import annotations

# What takes a parameter, and what the parameter was called and is called.
RENAMED: dict[str, dict[str, str]] = {
    "run_experiment": {"batch_size": "n_instances"},
    "BatchBALD": {"n_samples": "n_configurations"},
}
