"""A fake phone: adb connects to it, pushes and pulls files, and runs commands in a sandbox.

    with StandIn(tmp_path / "phone") as phone, AdbServer() as server:
        server.connect(phone)
        subprocess.run(["adb", "-s", phone.serial, "shell", "getprop ro.product.model"], ...)

Commands are run by this computer's /bin/sh; `tests.phone.programs` has the tools that differ on
Android.
"""

import contextlib
import functools
import re
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

from tests.phone.conditions import Condition
from tests.phone.programs import install_programs
from tests.phone.shell import RUNS_BENCHMARK, Sandbox, ShellService
from tests.phone.sync import SyncService
from tests.phone.transport import Connection, Service, Stream

Benchmark = Literal[
    "works", "middle dialect", "old dialect", "noisy", "hangs", "garbage", "crashes"
]
ADB_SCANS = range(5037, 5586)  # adb's own port, and where it looks for emulators by itself
LITTLE_KHZ, BIG_KHZ = 1_900_800, 2_457_600  # Pixel 2: cpu0-3 and cpu4-7


class StandIn:
    """A fake phone; a context manager that listens on its own loopback port.

    `serial` is what `adb connect` takes and `adb devices` lists. `root` is the sandbox's `/`.
    `commands` are the shell commands as they were sent, `pushed` the device paths that were
    written, both in order. The conditions below can be set at any time:

    - `unplug_on`: "push" unplugs in the middle of the next file of more than a byte, "run" after
      the first output of the next command that runs `benchmark_model`; then it is None again.
    - `free_bytes`: a larger file meets a full disk; `df` prints it too.
    - `benchmark`: how `benchmark_model` behaves, see there.
    - `slowdown`: each run of `benchmark_model` takes the next factor on its times away, the last
      stays. Set whole lists: what is read is a copy.
    - `thermal_status`: None stands for an Android that has no thermal service.
    """

    unplug_on: Condition[Literal["push", "run"] | None] = Condition(None)
    free_bytes: Condition[int | None] = Condition(None)
    benchmark: Condition[Benchmark] = Condition("works")
    slowdown: Condition[list[float]] = Condition([1.0])
    thermal_status: Condition[int | None] = Condition(0)
    battery_tenths_c: Condition[int] = Condition(301)
    battery_level: Condition[int] = Condition(87)
    charging: Condition[bool] = Condition(True)
    awake: Condition[bool] = Condition(True)

    def __init__(
        self,
        folder: Path,
        *,
        model: str = "Pixel 2",
        abi: str = "arm64-v8a",
        authorised: bool = True,
        port: int | None = None,
    ) -> None:
        assert not re.search(r"\s", str(folder)), "the folder's path ends up in shell commands"
        self.root = folder.resolve() / "root"
        self.conditions = folder.resolve() / "conditions"
        self.model, self.abi, self.authorised = model, abi, authorised
        self.port = free_port() if port is None else port
        self.serial = f"127.0.0.1:{self.port}"
        self.commands: list[str] = []
        self.pushed: list[str] = []
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._connections: list[Connection] = []
        self._plug = threading.Lock()
        self._fuse = threading.Lock()  # a command's two outputs blow it once
        self._furnish()

    def __enter__(self) -> Self:
        self.replug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        for thread in self._threads:
            thread.join(timeout=10)

    def unplug(self) -> None:
        """Drop all connections and refuse new ones, until `replug`."""
        with self._plug:
            listener, self._listener = self._listener, None
            if listener is not None:
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
                listener.close()
            for connection in self._connections:
                connection.drop()
            self._connections.clear()

    def replug(self) -> None:
        """Listen, on the same port as ever."""
        with self._plug:
            assert self._listener is None, "it is plugged in"
            self._listener = listener = socket.create_server(("127.0.0.1", self.port))
        self._start(lambda: self._accept(listener))

    def set_file(self, path: str, text: str) -> None:
        """Write the device file `path`."""
        file = self.locate(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def refuse(self, program: str, code: int = 127, words: str = "") -> None:
        """Put a program in place of `program` that only says `words` and ends with `code`."""
        self.set_file(f"/system/bin/{program}", f'#!/bin/sh\necho "{words}" >&2\nexit {code}\n')
        self.locate(f"/system/bin/{program}").chmod(0o755)

    def read_file(self, path: str) -> str:
        """Return the text of the device file `path`."""
        return self.locate(path).read_text()

    def locate(self, path: str) -> Path:
        """Return the path in the sandbox of the device path `path`."""
        file = self.root / path.lstrip("/")
        assert ".." not in file.parts, f"{path} may lead out of the sandbox"
        return file

    @property
    def taskset_masks(self) -> list[str]:
        """The masks that `taskset` was given, in order."""
        return (self.conditions / "taskset").read_text().split()

    def interrupt_push(self) -> bool:
        """Pull the cable if that is to happen in the middle of a push."""
        return self._unplug_if("push")

    def _unplug_if(self, moment: Literal["push", "run"]) -> bool:
        with self._fuse:
            if self.unplug_on != moment:
                return False
            self.unplug_on = None
        self.unplug()
        return True

    def _furnish(self) -> None:
        """Make the folders, programs, conditions and CPUs of the phone."""
        for folder in (self.conditions, self.root / "data/local/tmp", self.root / "system/bin"):
            folder.mkdir(parents=True)
        install_programs(self.root / "system/bin")
        for attribute in vars(StandIn).values():
            if isinstance(attribute, Condition):
                attribute.reset(self)
        (self.conditions / "taskset").touch()
        (self.conditions / "properties").write_text(self._properties())
        for which in ("present", "online"):
            self.set_file(f"/sys/devices/system/cpu/{which}", "0-7\n")
        for cpu in range(8):
            for name in ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq"):
                khz = LITTLE_KHZ if cpu < 4 else BIG_KHZ
                self.set_file(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/{name}", f"{khz}\n")

    def _properties(self) -> str:
        values = {
            "ro.product.model": self.model,
            "ro.product.manufacturer": "Google",
            "ro.product.device": "walleye",
            "ro.product.cpu.abi": self.abi,
            "ro.build.fingerprint": "google/walleye/walleye:11/RP1A.201005.004.A1/6934943"
            ":user/release-keys",
            "ro.build.version.release": "11",
            "ro.build.version.sdk": "30",
            "ro.serialno": f"STANDIN{self.port}",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True, name=f"stand-in {self.serial}")
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        banner = f"device::ro.product.name=walleye;ro.product.model={self.model};"
        banner += "ro.product.device=walleye;features=shell_v2,cmd"
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(
                connected,
                banner=banner,
                authorised=self.authorised,
                find_service=self._find_service,
            )
            with self._plug:
                if self._listener is not listener:  # unplugged at this very moment
                    connected.close()
                    return
                self._connections.append(connection)
            self._start(connection.serve)

    def _find_service(self, name: str) -> Service | None:
        kind, _, argument = name.partition(":")
        if kind == "sync":
            return lambda stream: SyncService(self, stream).serve()
        kind, *options = kind.split(",")
        if kind in ("shell", "exec"):
            return functools.partial(self._run, command=argument, packets="v2" in options)
        return None

    def _run(self, stream: Stream, *, command: str, packets: bool) -> None:
        self.commands.append(command)
        environment = {
            "PATH": f"{self.root / 'system/bin'}:/usr/bin:/bin",
            "HOME": str(self.root),
            "CONDITIONS": str(self.conditions),
        }
        sandbox = Sandbox(root=self.root, environment=environment)
        on_output = self._on_benchmark_output if RUNS_BENCHMARK.search(command) else _nothing
        ShellService(sandbox, stream, packets=packets, on_output=on_output).serve(command)

    def _on_benchmark_output(self) -> None:
        self._unplug_if("run")


def _nothing() -> None:
    """Do nothing."""


def free_port() -> int:
    """Return a loopback port that nobody uses and that adb does not look at by itself."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port: int = server.getsockname()[1]
        if port not in ADB_SCANS:
            return port


def benchmark_binary(folder: Path) -> Path:
    """Write `benchmark_model` as a program that this Python runs; return it, ready to push."""
    program = folder / "benchmark_model"
    script = Path(__file__).with_name("benchmark_model").read_text()
    program.write_text(f"#!{sys.executable}\n{script}")
    shutil.copymode("/bin/sh", program)
    return program
