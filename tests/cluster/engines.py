"""Engines and an object store on this machine: what is started, in which order, and when it is ready."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from machine import ROOT, Machine, MissingError, ask, free_port, jars, unpacked, wait_until

__all__ = ["ENGINES", "S3", "SECRET", "Cluster", "start_s3"]

KEY, SECRET = "tester", "zQ7-a-secret-of-the-tests"
_OPEN = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "util.concurrent.atomic")
_INNER = ("sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar")
_OPENS = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in (*(f"java.{part}" for part in _OPEN), *_INNER)]
_BEAM, _LAUNCHER = "org.apache.beam.runners", "pipelines.runners.launcher"


@dataclass
class Cluster:
    """An engine that runs."""

    options: list[str]
    """Of the command."""
    machine: Machine
    worker: str
    """Stands in the command line of each process that makes units."""
    replace: Callable[[], object] = lambda: None
    """Starts a machine in place of one that is lost; Spark's workers start a new executor by themselves."""
    cancel: Callable[[], None] = lambda: None
    """Has the engine itself end what runs."""

    @property
    def begun(self) -> Path:
        """Folder in which workers note what they begin, see `toy_labelers.Slow`."""
        return Path(self.machine.environment["AUXLOOM_TESTS_BEGUN"])


@dataclass
class S3:
    """An object store that runs."""

    environment: dict[str, str]
    objects: Path
    """Folder in which it keeps the objects of a bucket."""
    log: Path
    """Has a line for each request."""

    def requests(self) -> list[str]:
        """Return method and URL of each request so far."""
        found = re.findall(r"request: Request\(([A-Z]+ \S+?)\)@", self.log.read_text(errors="replace"))
        return [unquote(item) for item in found]

    def put(self, name: str, data: bytes) -> bool:
        """Write an object, as a client does, and return whether that went well."""
        code = (
            "import sys; from pyarrow.fs import FileSystem\n"
            "system, path = FileSystem.from_uri(sys.argv[1])\n"
            "with system.open_output_stream(path) as file: file.write(sys.stdin.buffer.read())"
        )
        command = [sys.executable, "-c", code, f"s3://bucket/{name}"]
        environment = {**os.environ, **self.environment}
        return not subprocess.run(command, env=environment, input=data, capture_output=True, check=False).returncode


def _java() -> str:
    """Return Java."""
    found = shutil.which("java")
    if not found:
        raise MissingError("java (17) is not installed")
    return found


_LOGBACK = """<configuration>
  <appender name="S" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%msg%n</pattern></encoder></appender>
  <logger name="org.gaul.s3proxy.S3ProxyHandler" level="debug"><appender-ref ref="S"/></logger>
  <root level="off"/>
</configuration>"""  # a line for each request; all that the server can say would be megabytes


def start_s3(machine: Machine) -> S3:
    """Start the object store, with one bucket."""
    port, objects = free_port(), machine.folder / "objects"
    (objects / "bucket").mkdir(parents=True)
    settings = {
        "s3proxy.endpoint": f"http://127.0.0.1:{port}",
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": KEY,
        "s3proxy.credential": SECRET,
        "jclouds.provider": "filesystem-nio2",
        "jclouds.filesystem.basedir": objects,
        "jclouds.identity": "unused",
        "jclouds.credential": "unused",
    }
    file = machine.folder / "s3proxy.conf"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    logback = machine.folder / "logback.xml"
    logback.write_text(_LOGBACK)
    options = ["-Xmx400m", f"-Dlogback.configurationFile={logback}", "-cp", jars("s3")]
    machine.start("s3", _java(), *options, "org.gaul.s3proxy.Main", "--properties", file)
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    store = S3(environment, objects / "bucket", machine.folder / "s3.log")
    machine.wait("S3", lambda: store.put("ready", b""))
    return store


def _launcher(machine: Machine) -> str:
    """Write `auxloom-worker` as an installation has it, and return a PATH on which it stands first."""
    place = machine.folder / "bin" / "auxloom-worker"
    place.parent.mkdir()
    paths = [str(ROOT), str(ROOT / "tests")]
    code = f"import sys; sys.path[:0] = {paths}; from pipelines.runners.launcher import main; main()"
    place.write_text(f'#!/bin/sh\nexec {sys.executable} -P -c "{code}" "$@"\n')
    place.chmod(0o755)
    return f"{place.parent}:{os.environ['PATH']}"


_FLINK = """
jobmanager:
  rpc: {{address: 127.0.0.1, port: {rpc}}}
  bind-host: 127.0.0.1
  memory: {{process: {{size: 1600m}}}}
taskmanager:
  bind-host: 127.0.0.1
  host: 127.0.0.1
  numberOfTaskSlots: 1
  memory: {{process: {{size: 1728m}}}}
rest: {{address: 127.0.0.1, bind-address: 127.0.0.1, port: {rest}}}
# without a restart strategy a lost task manager fails the job
restart-strategy: {{type: fixed-delay, fixed-delay: {{attempts: 10, delay: 3 s}}}}
heartbeat: {{interval: 2000, timeout: 8000}}
"""
_SLOTS = (1, 2, 1)  # of each task manager; one more than the job takes
_RESOURCES = "org.apache.flink.runtime.util.bash.BashJavaUtils"


def start_flink(machine: Machine) -> Cluster:
    """Start a job manager, three task managers with four slots, of which one stays free, and Beam's job server."""
    home, beam, java = unpacked("apache-flink-libraries", "1.19.3"), jars("flink", "beam"), _java()
    rpc, rest, job = free_port(), free_port(), free_port()
    folder = machine.folder / "conf"
    folder.mkdir()
    (folder / "config.yaml").write_text(_FLINK.format(rpc=rpc, rest=rest))
    found = [*home.glob("lib/flink-dist-*.jar"), *home.glob("lib/log4j-*.jar"), home / "bin/bash-java-utils.jar"]
    path, conf = ":".join(map(str, found)), ("--configDir", folder)
    machine.environment["PATH"] = _launcher(machine)
    opens = ["--add-exports=java.base/sun.net.util=ALL-UNNAMED", *_OPENS, "-cp", path]
    runtime = "org.apache.flink.runtime"
    entry = f"{runtime}.entrypoint.StandaloneSessionClusterEntrypoint"
    machine.start("jobmanager", java, "-Xmx800m", *opens, entry, *conf, "--executionMode", "cluster")
    url = f"http://127.0.0.1:{rest}/overview"
    machine.wait("Flink's job manager", lambda: ask(url) is not None)
    # a task manager wants its memory settings worked out beforehand, by Flink's own tool
    command = [java, "-cp", path, _RESOURCES, "GET_TM_RESOURCE_PARAMS", *map(str, conf)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    memory, dynamic = (line.partition("RESULT:")[2].split() for line in told.splitlines() if "RESULT:" in line)

    def add(number: int, slots: int) -> None:
        runner = f"{runtime}.taskexecutor.TaskManagerRunner"
        names = ["-D", f"taskmanager.resource-id=tm{number}", "-D", f"taskmanager.numberOfTaskSlots={slots}"]
        machine.start(f"taskmanager{number}", java, *memory, *opens, runner, *conf, *dynamic, *names)

    def known() -> list[str]:
        """Return the task managers that the job manager knows."""
        return [one["id"] for one in (ask(f"http://127.0.0.1:{rest}/taskmanagers") or {}).get("taskmanagers", ())]

    def replace() -> None:
        number = len(_SLOTS)
        add(number, max(_SLOTS))
        wait_until("a further task manager", lambda: f"tm{number}" in known())

    for number, slots in enumerate(_SLOTS):
        add(number, slots)
    server = [f"{_BEAM}.flink.FlinkJobServerDriver", "--flink-master", f"127.0.0.1:{rest}", "--job-host", "127.0.0.1"]
    ports = ["--job-port", job, "--artifact-port", free_port(), "--expansion-port", 0]
    staged = ["--artifacts-dir", machine.folder / "artifacts"]
    machine.start("jobserver", java, "-Xmx600m", "-cp", beam, *server, *ports, *staged)
    machine.wait("Flink's slots", lambda: (ask(url) or {}).get("slots-total") == sum(_SLOTS))
    machine.wait("the job server", lambda: _answers(job))
    master = f"flink_master=127.0.0.1:{rest}"
    options = ["--runner", "flink", "--beam", f"job_endpoint=127.0.0.1:{job}", "--beam", master]

    def cancel() -> None:
        for one in ask(f"http://127.0.0.1:{rest}/jobs/overview")["jobs"]:
            if one["state"] == "RUNNING":
                url = f"http://127.0.0.1:{rest}/jobs/{one['jid']}?mode=cancel"
                urllib.request.urlopen(urllib.request.Request(url, method="PATCH"), timeout=5).close()

    more = ["--beam", f"parallelism={sum(_SLOTS) - 1}"]
    return Cluster([*options, *more], machine, _LAUNCHER, lambda: add(len(_SLOTS), max(_SLOTS)), cancel)


def _answers(port: int) -> bool:
    """Return whether a job server answers."""
    from pipelines.recipes.recipe import RecipeError
    from pipelines.runners.job_service import known_options

    try:
        return bool(known_options(f"127.0.0.1:{port}"))
    except RecipeError:
        return False


def start_spark(machine: Machine) -> Cluster:
    """Start a master, two workers with one core each, and Beam's job server."""
    home, beam, java = unpacked("pyspark", "3.5.0"), jars("spark", "beam"), _java()
    master, web, job = free_port(), free_port(), free_port()
    # without the second no executor starts
    machine.environment |= {"SPARK_HOME": str(home), "SPARK_SCALA_VERSION": "2.12", "SPARK_LOCAL_IP": "127.0.0.1"}
    machine.environment["PATH"] = _launcher(machine)
    deploy, path = "org.apache.spark.deploy", f"{home}/jars/*"
    address = ["--host", "127.0.0.1", "--port", master, "--webui-port", web]
    machine.start("master", java, "-Xmx500m", *_OPENS, "-cp", path, f"{deploy}.master.Master", *address)
    url = f"http://127.0.0.1:{web}/json/"
    machine.wait("Spark's master", lambda: ask(url) is not None)
    for number in (1, 2):
        options = ["--host", "127.0.0.1", "--cores", 1, "--memory", "1g", "--webui-port", free_port()]
        place = ["--work-dir", machine.folder / f"work{number}", f"spark://127.0.0.1:{master}"]
        worker = f"{deploy}.worker.Worker"
        machine.start(f"worker{number}", java, "-Xmx300m", *_OPENS, "-cp", path, worker, *options, *place)
    # an executor fails its first task, because Spark's Guava is older than that of Beam's jars; its second one runs
    settings = ["-Dspark.driver.host=127.0.0.1", "-Dspark.executor.memory=700m", "-Dspark.task.maxFailures=8"]
    server = [f"{_BEAM}.spark.SparkJobServerDriver", "--spark-master-url", f"spark://127.0.0.1:{master}"]
    ports = ["--job-host", "127.0.0.1", "--job-port", job, "--artifact-port", free_port(), "--expansion-port", 0]
    staged = ["--artifacts-dir", machine.folder / "artifacts"]
    # no jar's name may stand twice on this class path: Spark refuses the second
    machine.start("jobserver", java, "-Xmx800m", *_OPENS, *settings, "-cp", f"{beam}:{path}", *server, *ports, *staged)
    machine.wait("Spark's workers", lambda: (ask(url) or {}).get("aliveworkers") == 2)
    machine.wait("the job server", lambda: _answers(job))
    return Cluster(["--runner", "spark", "--beam", f"job_endpoint=127.0.0.1:{job}"], machine, _LAUNCHER)


def start_dask(machine: Machine) -> Cluster:
    """Start a scheduler, and two workers with two threads each."""
    machine.environment["PYTHONPATH"] = f"{ROOT}:{ROOT / 'tests'}"
    port, dask = free_port(), [sys.executable, "-P", "-m", "dask"]
    address = f"tcp://127.0.0.1:{port}"
    machine.start("scheduler", *dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def add(number: int) -> None:
        threads = ["--nthreads", 2, "--nworkers", 1, "--no-dashboard"]
        machine.start(f"worker{number}", *dask, "worker", address, *threads)

    def workers() -> int:
        from dask.distributed import Client

        try:
            with Client(address, timeout=2, set_as_default=False) as client:
                return len(client.nthreads())
        except OSError:
            return 0

    add(0)
    add(1)
    machine.wait("Dask's workers", lambda: workers() == 2)
    options = ["--runner", "dask", "--beam", f"dask_client_address={address}"]
    return Cluster(options, machine, "multiprocessing.spawn", lambda: add(2))


ENGINES: dict[str, Callable[[Machine], Cluster]] = {"dask": start_dask, "flink": start_flink, "spark": start_spark}
