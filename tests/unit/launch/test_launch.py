"""The launch package: without a Docker engine (a small fake answers where one is needed) and without training."""

import contextlib
import io
import json
import os
import signal
import socketserver
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from jobs import ROOT
from launch.cli import errors, interruption, progress
from launch.local import engines, images
from launch.local import foreground as local
from launch.sagemaker import episode, results

TRAINING = (
    "Training> Name=main_level/agent, Worker=0, Episode={0}, Total reward=-1.0, Steps={0}00, Training iteration=0"
)
TESTING = "Testing> Name=main_level/agent, Worker=0, Episode={0}, Total reward=95.0, Steps={0}00, Training iteration=0"
EVALUATION = "Evaluation> Evaluation reward=95.5, Episode=28, Steps=60000, Training iteration=2"


# --- The endpoint on this machine -------------------------------------------------------------------------------------


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def server_of(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def dead_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_proxy_is_not_asked_for_the_endpoint(dead_proxy, monkeypatch):
    monkeypatch.setattr(local, "SECONDS_TO_START", 3)
    with server_of(Healthy) as url:
        local._wait_until_healthy(url, lambda: True)


def test_predict_sh_asks_no_proxy_and_fails_for_a_4xx(dead_proxy, tmp_path):
    class Refuses(Healthy):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(415)
            self.end_headers()
            self.wfile.write(b'{"error": "unsupported"}')

    payload = tmp_path / "payload.json"
    payload.write_text("[1]")
    with server_of(Refuses) as url:
        port = url.rpartition(":")[2]
        command = [str(ROOT / "local_test/predict.sh"), str(payload)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PORT": port}, timeout=30)
    assert done.returncode == 22
    assert done.stdout == '{"error": "unsupported"}'


def test_an_endpoint_that_died_is_a_failed_job():
    class HangsUp(Healthy):
        def do_POST(self):
            self.close_connection = True

    died = pytest.raises(errors.JobFailed, match="does not answer")
    with server_of(HangsUp) as url, httpx.Client(trust_env=False) as client, died:
        episode.predict(client, url, [0.0, 0.0])
    with httpx.Client(trust_env=False) as client, died:  # the port is closed now
        episode.drive(client, url, continuous=True, seed=0)


class FakeRunning:
    """Prints ``log``; ``during_stop`` is called while it is being stopped."""

    def __init__(self, log=(), during_stop=lambda: None):
        self.log = log
        self.during_stop = during_stop
        self.stopped = False

    def lines(self):
        yield from self.log

    def wait(self):
        return 0

    def stop(self):
        self.during_stop()
        self.stopped = True


class FakeEngine:
    name = host = "fake"

    def __init__(self, running, url="http://127.0.0.1:9", during_start=lambda: None):
        self.running = running
        self.url = url
        self.during_start = during_start
        self.ml = None

    def train(self, ml, name, place):
        self.ml = ml
        self.during_start()
        return self.running

    def serve(self, ml, name):
        self.ml = ml
        self.during_start()
        return self.running, self.url


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("policy.json"), io.BytesIO())
    return path


def test_a_failed_prediction_shows_the_endpoints_last_lines(archive):
    running = FakeRunning([f"line {number}" for number in range(100)])
    with (
        server_of(Healthy) as url,
        pytest.raises(errors.JobFailed) as caught,
        local.endpoint(FakeEngine(running, url), archive, "name"),
    ):
        raise errors.JobFailed("The endpoint does not answer.")
    first, *log = str(caught.value).splitlines()
    assert first == "The endpoint does not answer."
    assert log == [f"line {number}" for number in range(85, 100)]
    assert running.stopped


def test_an_endpoint_that_ends_shows_why(archive):
    engine = FakeEngine(FakeRunning(["no policy.json here"]))
    failed = pytest.raises(errors.JobFailed, match=r"ended before it was healthy\.\nno policy\.json here")
    with failed, local.endpoint(engine, archive, "name"):
        pass
    assert not engine.ml.exists()


# --- Interruptions ----------------------------------------------------------------------------------------------------


@pytest.fixture
def interruptible():
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    interruption.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupt():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)  # Python runs the handler


REQUEST = {"TrainingJobName": "job", "HyperParameters": {}}


@pytest.mark.parametrize("moment", ["start", "run", "stop"])
def test_an_interrupted_job_leaves_nothing(interruptible, tmp_path, moment):
    running = FakeRunning(["a line"], interrupt if moment == "stop" else lambda: None)
    engine = FakeEngine(running, during_start=interrupt if moment == "start" else lambda: None)
    with pytest.raises(interruption.Interrupted):
        local.run_training_job(engine, REQUEST, tmp_path / "run", lambda line: interrupt())
    assert running.stopped
    assert not list(tmp_path.rglob(".ml"))


@pytest.mark.parametrize("moment", ["start", "run", "stop"])
def test_an_interrupted_endpoint_leaves_nothing(interruptible, archive, moment):
    running = FakeRunning([], interrupt if moment == "stop" else lambda: None)
    with server_of(Healthy) as url, pytest.raises(interruption.Interrupted):
        engine = FakeEngine(running, url, during_start=interrupt if moment == "start" else lambda: None)
        with local.endpoint(engine, archive, "name"):
            if moment == "run":
                interrupt()
    assert running.stopped
    assert not engine.ml.exists()


def test_an_interruption_comes_before_what_it_made_fail(interruptible):
    with pytest.raises(interruption.Interrupted), interruption.held_back():
        interrupt()
        raise errors.JobFailed("docker/base/build_base.sh failed")


def test_an_ignored_signal_stays_ignored(interruptible):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interruption.install()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.parametrize("ending", ["by itself", "stopped"])
def test_a_process_takes_its_children_along(tmp_path, ending):
    # The child has its parent's output open, as the upload of a killed training job has.
    program = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    process = engines._Process(["-c", program + ("; time.sleep(60)" if ending == "stopped" else "")], tmp_path)
    lines = process.lines()
    child = int(next(lines))
    started = time.monotonic()
    if ending == "stopped":
        process.stop()
    assert not list(lines)
    process.stop()
    while is_running(child) and time.monotonic() < started + 5:
        time.sleep(0.01)
    assert not is_running(child)
    assert time.monotonic() < started + 10


def is_running(pid) -> bool:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


# --- How a script ends ------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_one_sentence(interruptible, tmp_path, capsys):
    (tmp_path / "file").touch()

    def main():
        local.run_training_job(FakeEngine(FakeRunning()), REQUEST, tmp_path / "file" / "x")

    with pytest.raises(SystemExit) as ended:
        errors.run(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"Error: {tmp_path / 'file' / 'x'}: Not a directory.\n"


def test_nobody_reads_on():
    program = "from launch import errors\nerrors.run(lambda: [print('y') for _ in range(100_000)])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(30) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    ("script", "imported"), [("train", "boto3"), ("predict", "botocore"), ("push_images", "docker")]
)
def test_ctrl_c_while_a_script_imports_what_it_needs(tmp_path, script, imported):
    (tmp_path / f"{imported}.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / f"scripts/{script}.py"), "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + signal.SIGINT, "Interrupted.\n")


# --- The Docker engine ------------------------------------------------------------------------------------------------


@pytest.fixture
def fake_engine(tmp_path, monkeypatch):
    """A Docker engine's API on a Unix socket: answers from a dict of (method, end of path) -> (status, body).

    Yields the dict and the list of requests.
    """
    answers = {("GET", "/version"): (200, {"ApiVersion": "1.43"}), ("GET", "/_ping"): (200, {})}
    requests = []

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            requests.append((self.command, path))
            status, body = next(
                (answer for (method, end), answer in answers.items() if method == self.command and path.endswith(end)),
                (404, {"message": "No such image"}),
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            if body is not None:
                self.wfile.write(json.dumps(body).encode())

        def do_POST(self):
            self.do_GET()

        def do_DELETE(self):
            self.do_GET()

        def address_string(self):
            return "unix"

        def log_message(self, *arguments):
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    address = str(tmp_path / "engine.sock")
    with Server(address, Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
        yield answers, requests
        server.shutdown()


def test_missing_images_are_noticed_before_anything_is_started(fake_engine, tmp_path):
    command = [sys.executable, str(ROOT / "scripts/demo.py"), "--engine", "docker", "--runs", str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: Image mountain-car-training:latest is not on this Docker engine, build it with `make images`.\n"
    )
    assert not (tmp_path / "runs").exists()


def test_a_container_that_cannot_be_started_is_removed(fake_engine, tmp_path):
    answers, requests = fake_engine
    answers["GET", "/json"] = (200, {"Id": "c0ffee", "Config": {}, "Name": "/x"})  # of images and containers
    answers["POST", "/containers/create"] = (201, {"Id": "c0ffee"})
    answers["POST", "/containers/c0ffee/start"] = (500, {"message": "mounts denied"})
    answers["DELETE", "/containers/c0ffee"] = (204, None)
    engine = engines.make_engine("docker")
    with pytest.raises(errors.JobFailed, match="mounts denied"):
        local.run_training_job(engine, REQUEST, tmp_path / "run")
    assert requests[-1] == ("DELETE", "/v1.43/containers/c0ffee")
    assert not list(tmp_path.rglob(".ml"))


def test_why_the_base_image_cannot_be_pulled_is_said(fake_engine, monkeypatch):
    answers, _ = fake_engine
    answers["POST", "/images/create"] = (500, {"message": "toomanyrequests: pull rate limit"})

    def fail(command, **options):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", fail)
    said = []
    with pytest.raises(errors.JobFailed, match=r"build_base\.sh"):
        images.ensure_base_image(images.connect(), images.BASE_IMAGE, said.append)
    assert "toomanyrequests: pull rate limit" in said[-1]


# --- Results and progress ---------------------------------------------------------------------------------------------


def test_the_latest_gif(tmp_path):
    gifs = tmp_path / "gifs"
    gifs.mkdir()
    names = [
        "2026-11-22-17-05-00_episode-9_score-1.gif",
        "2026-11-22-17-06-00_episode-10_score-1.gif",
        "2026-11-22-17-08-00_episode-10_score-3.gif",
        "2026-11-22-17-07-00_episode-10_score-2.gif",
    ]
    for name in names:
        (gifs / name).touch()
    assert results.latest_gif(tmp_path).name == names[2]


def shown(capsys, progress_of_job, lines):
    with progress_of_job:
        for line in lines:
            progress_of_job(line)
    return [line.removeprefix("  ") for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("path", ["accelerated, Environments=16", "stock Coach, Reason=accelerate is 0"])
def test_off_a_terminal_training_lines_are_few(capsys, path):
    milestones = [
        "Schedule> Preset=preset-x, Improve steps=60000, Seed=0",
        f"Path> Path={path}",
        "Checkpoint> Starting from the weights in=/opt/ml/checkpoints",
        EVALUATION,
        "Model> Saved in=/opt/ml/model",
        "Error: discount is 1.5.",
    ]
    episodes = [TRAINING.format(episode) for episode in range(50)]
    tests = [TESTING.format(episode) for episode in range(5)]
    lines = shown(
        capsys, progress.TrainingProgress(), [*milestones[:3], "## noise", *episodes, *tests, *milestones[3:]]
    )
    expected_tests = [] if path.startswith("accelerated") else tests
    assert lines == [*milestones[:3], episodes[0], *expected_tests, *milestones[3:]]


def test_off_a_terminal_an_evaluation_is_its_result(capsys):
    lines = [TESTING.format(episode) for episode in range(1, 21)]
    assert shown(capsys, progress.EvaluationProgress(20), [*lines, "## noise", EVALUATION]) == [EVALUATION]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_an_evaluation_counts_its_episodes(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.EvaluationProgress(20) as shows:
        for episode_number in range(1, 6):
            shows(TESTING.format(episode_number))
        assert (shows.bar.n, shows.bar.total) == (5, 20)


def test_on_a_terminal_training_counts_the_steps_of_its_schedule(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.TrainingProgress() as shows:
        shows("Schedule> Preset=preset-x, Improve steps=60000, Seed=0")
        shows("Heatup> Name=main_level/agent, Worker=0, Episode=1, Total reward=-1.0, Steps=10000")
        shows(TRAINING.format(150))
        assert (shows.bar.n, shows.bar.total) == (5000, 60000)
        shows(EVALUATION)
        assert shows.bar.n == 60000
