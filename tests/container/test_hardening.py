"""The serving container where it may do little: no network but its own, no disk to write to, any user."""

import json
import time

import pytest

ASK = """
import json, urllib.request
for path, body in (("ping", None), ("invocations", b"[0.5,-0.5]")):
    request = urllib.request.Request(f"http://127.0.0.1:8080/{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        print(answer.status, answer.read().decode().strip())
"""
FILL = """
import contextlib
with contextlib.suppress(OSError), open("/tmp/full", "wb", 0) as file:
    while True:
        file.write(bytes(4096))
"""


@pytest.mark.parametrize(
    "options",
    [
        {"network_mode": "none"},
        {"user": "0:0"},
        {"user": "4711"},
        {"user": "65534:65534", "tmpfs": {"/tmp": "size=64k,mode=1777"}},
        {"read_only": False},
    ],
    ids=["no network", "root", "any user id", "a full disk", "a root that can be written"],
)
def test_it_serves_all_the_same(run, ppo_job, options):
    container = run(
        "serving",
        "serve",
        volumes={str(ppo_job.ml / "model"): {"bind": "/opt/ml/model", "mode": "ro"}},
        **{"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], **options},
    )
    if "tmpfs" in options:
        assert container.exec_run(["python", "-c", FILL]).exit_code == 0
        assert container.exec_run(["python", "-c", "open('/tmp/more', 'w').write('x' * 9999)"]).exit_code == 1
    deadline = time.monotonic() + 15
    while (done := container.exec_run(["python", "-c", ASK])).exit_code and time.monotonic() < deadline:
        time.sleep(0.1)
    assert done.exit_code == 0, done.output.decode()
    ping, answer = done.output.decode().splitlines()
    assert ping.startswith("200")
    status, _, heads = answer.partition(" ")
    assert status == "200"
    assert len(json.loads(heads)) == 3
    container.stop(timeout=10)
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0
    assert "Traceback" not in container.logs().decode()
