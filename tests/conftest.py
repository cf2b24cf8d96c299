"""Settings of the whole test run."""

from hypothesis import settings

# Both cores may be busy with training: a law is judged by its examples, not by their time.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
