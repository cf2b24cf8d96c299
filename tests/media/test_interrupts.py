import signal
import threading

import pytest

from jejunet_nas.media.containers import undisturbed


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    done = []

    def block() -> None:
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("after the key was pressed")
        done.append("after the block")

    with pytest.raises(KeyboardInterrupt):
        block()

    assert done == ["after the key was pressed"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_ctrl_c_nothing_is_raised_and_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError, match="its own"), undisturbed():
        raise ZeroDivisionError("its own")

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_leaves_the_handler_alone() -> None:
    seen = []

    def block() -> None:
        with undisturbed():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()

    assert seen == [signal.default_int_handler]
