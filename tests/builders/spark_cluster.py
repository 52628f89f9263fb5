"""A real Spark cluster of this machine: a master, two workers and a Connect server, as
processes of the pyspark package.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 120


def find_obstacle() -> str | None:
    """Say why no cluster can be started here; None where it can."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "pyspark is not installed: pip install -r requirements-cluster.txt"
    if not shutil.which("java"):
        return "Java 17 or newer is not installed (Debian: apt install openjdk-17-jre-headless)"
    return None


class SparkCluster:
    """The processes of a cluster, and the address of its Connect server."""

    def __init__(self, folder: Path) -> None:
        import pyspark

        self.folder = folder
        self.home = Path(pyspark.__file__).parent
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.master_port, self.port = _find_free_port(), _find_free_port()
        self.url = f"sc://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything and wait until the Connect server listens."""
        worker = "org.apache.spark.deploy.worker.Worker"
        master = f"spark://127.0.0.1:{self.master_port}"
        self._run(
            "master", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1",
            "--port", str(self.master_port), "--webui-port", str(_find_free_port()),
        )  # fmt: skip
        self._wait_for(self.master_port)
        for name in ("worker-1", "worker-2"):
            self._run(
                name, worker, "--host", "127.0.0.1", "--cores", "1", "--memory", "1g",
                "--webui-port", str(_find_free_port()), "--work-dir", str(self.folder / name),
                master,
            )  # fmt: skip
        self.start_server()

    def start_server(self) -> None:
        """Start the Connect server on its port."""
        options = {
            "spark.connect.grpc.binding.port": self.port,
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executor.memory": "768m",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": 4,
            "spark.sql.warehouse.dir": self.folder / "warehouse",
        }
        settings = [
            word for item in options.items() for word in ("--conf", "=".join(map(str, item)))
        ]
        self._run(
            "server", "org.apache.spark.deploy.SparkSubmit",
            "--master", f"spark://127.0.0.1:{self.master_port}", *settings,
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal",
        )  # fmt: skip
        self._wait_for(self.port)

    def kill(self, name: str) -> None:
        """Kill a process of the cluster, with those that it started."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()

    def stop(self) -> None:
        for name in reversed(list(self.processes)):
            self.kill(name)

    def _run(self, name: str, main: str, *arguments: str) -> None:
        environment = os.environ | {
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
            "SPARK_DAEMON_MEMORY": "1g" if name == "server" else "256m",
            "PYSPARK_PYTHON": sys.executable,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(self.home / "bin" / "spark-class"), main, *arguments],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            for name, process in self.processes.items():
                assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-2000:]
            time.sleep(0.2)
        raise TimeoutError(f"nothing listens on port {port}")


@contextmanager
def running_cluster(folder: Path) -> Iterator[SparkCluster]:
    """Run a cluster, stopped at the end."""
    cluster = SparkCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
