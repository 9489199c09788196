"""Selection: arrays in, indices out; nothing here knows of models."""

from skactive.selection._greedy_fisher import greedy_fisher as greedy_fisher
