"""Settings of the whole test run, and the phone that any test may ask for."""

import signal

from hypothesis import settings

from tests.phone.fixtures import adb_server, phone

__all__ = ["adb_server", "phone"]

# Both cores may be busy with training: a law is judged by its examples, not by their time.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

# What is started in the background of a shell ignores Ctrl-C, and so would the tests of it.
signal.signal(signal.SIGINT, signal.default_int_handler)
