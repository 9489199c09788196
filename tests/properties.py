"""The one profile of all property tests: the same examples on every machine, however slow it is.

Importing it makes hypothesis use the profile: 100 examples of each property, drawn from the test
itself and not from the clock, without deadline and without a folder of examples.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "skactive",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # which looks at the clock
)
settings.load_profile("skactive")
