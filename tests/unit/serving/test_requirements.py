"""``code/requirements.txt``: what pip installs of it, where, and what is said if it cannot."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import zipfile

import httpx
import pytest
from jobs import free_port, start_server
from sagemaker_rl.errors import InputError
from sagemaker_rl.serving import requirements

CLOSED = "http://127.0.0.1:1/simple"


def write_wheel(folder, name, version, requires=""):
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (
        requires and f"Requires-Dist: {requires}\n"
    )
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
        wheel.writestr(
            f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model with wheels beside its requirements.txt, on a machine without network whose pip has no settings."""
    code = tmp_path / "model/code"
    code.mkdir(parents=True)
    write_wheel(code, "gearbox", "1.0", "numpy")
    write_wheel(code, "gearbox", "2.0", "numpy>=2")
    (tmp_path / "constraints.txt").write_text("numpy==1.23.5\n")
    (tmp_path / "tmp").mkdir()
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"),
        "PIP_INDEX_URL": CLOSED,
        "PIP_RETRIES": "1",
        "PIP_FIND_LINKS": "",
        "PYTHONPATH": "/before",
        "PATH": os.environ["PATH"],
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(requirements, "_folders", [])
    return tmp_path / "model"


def install(model, text):
    (model / "code/requirements.txt").write_text(text)
    before = signal.getsignal(signal.SIGTERM)
    try:
        requirements.install(model)
    finally:
        assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_missing_is_installed_and_found(model, tmp_path, capfd):
    known = list(sys.path)
    install(model, "# of the car\n--no-index\n--find-links .\ngearbox\nnumpy>1\n")
    (folder,) = (tmp_path / "tmp").iterdir()
    (added,) = set(sys.path) - set(known)
    assert added.startswith(f"{folder}/")
    assert [path for path in sys.path if path != added] == known
    assert sys.path.index(added) + 1 == next(
        index for index, path in enumerate(sys.path) if path.endswith("-packages") and path != added
    )
    log = capfd.readouterr().out
    assert "Installing code/requirements.txt: --no-index, --find-links ., gearbox, numpy>1" in log
    assert log.splitlines()[-1].endswith(' seconds: gearbox-1.0"}'), "numpy was there"
    # programs that a user's functions start find it, too
    program = "import gearbox, numpy; print(gearbox.VERSION, numpy.__version__)"
    for python in (sys.executable, "python"):
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout == "1.0 1.23.5\n"
    requirements.remove()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_is_there_needs_no_network(model, capfd):
    install(model, "numpy\norjson\n")
    assert "seconds: nothing that was not there" in capfd.readouterr().out


def test_a_wheel_may_be_named(model, capfd):
    install(model, "./gearbox-1.0-py3-none-any.whl\n")
    assert "seconds: gearbox-1.0" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("numpy==2.1.0\n", "it asks for numpy==2.1.0, but the image depends on numpy==1.23.5."),
        ("--find-links .\ngearbox==2.0\n", "gearbox 2.0 depends on numpy>=2, but the image depends on numpy==1.23.5."),
        ("--no-index\n--find-links .\ngearbox==3\n", "No matching distribution found for gearbox==3."),
        (
            "simulator-of-nobody==2.0.3\n",
            "No matching distribution found for simulator-of-nobody==2.0.3, as the package index cannot be reached: "
            "install it in an image of your own (docs/serving.md).",
        ),
        ("two words\n", "Invalid requirement: 'two words'"),
        ("--requirement more.txt\n", "Could not open requirements file: [Errno 2] No such file or directory"),
    ],
)
def test_what_cannot_be_installed_is_named(model, capfd, text, reason):
    known = list(sys.path)
    with pytest.raises(InputError) as refused:
        install(model, text)
    sentence = str(refused.value)
    assert sentence.startswith(f"code/requirements.txt cannot be installed: {reason}")
    assert len(sentence.splitlines()) == 1
    assert sys.path == known
    failed = capfd.readouterr().out.splitlines()[-1]
    assert '"message":"pip has failed.","output":"' in failed
    assert len(failed) < 2 * requirements.MAX_OUTPUT


def test_without_the_file_nothing_happens(model, tmp_path, capfd):
    requirements.install(model)
    requirements.install(tmp_path / "nowhere")
    assert capfd.readouterr().out == ""
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_file_that_is_none_is_not_opened(model):
    file = model / "code/requirements.txt"
    os.mkfifo(file)
    with pytest.raises(InputError, match=rf"^{file} is a FIFO, expected a file\.$"):
        requirements.install(model)
    file.unlink()
    file.symlink_to("requirements.txt")
    with pytest.raises(InputError, match=rf"^{file} cannot be read: Too many levels of symbolic links\.$"):
        requirements.install(model)


def test_without_a_folder_that_can_be_written(model, monkeypatch):
    def refuse(**options):
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(InputError) as refused:
        install(model, "gearbox\n")
    assert str(refused.value) == (
        "code/requirements.txt cannot be installed: no folder for temporary files can be written (No usable temporary "
        "directory found in ['/tmp']); name one by the environment variable TMPDIR, or mount one at /tmp."
    )


def test_another_way_to_name_an_index_is_told(model, monkeypatch, capfd):
    monkeypatch.setenv("CA_REPOSITORY_ARN", "arn:aws:codeartifact:eu-west-1:1:repository/a/b")
    install(model, "numpy\n")
    assert "CA_REPOSITORY_ARN is not read: PIP_INDEX_URL names the package index." in capfd.readouterr().out


def test_while_it_is_installed_ping_says_503_and_sigterm_ends_all(model, tmp_path):
    """From an index that takes connections and never answers."""
    (model / "policy.json").write_text("{}")
    (model / "code/inference.py").write_text("def model_fn(model_dir):\n    pass\n")
    (model / "code/requirements.txt").write_text("simulator-of-nobody\n")
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(30)
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        environment = {"PIP_INDEX_URL": url, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": os.pathsep.join(sys.path)}
        server = start_server(tmp_path, port, environment=environment)
        try:
            connection, _ = index.accept()  # by pip
            assert httpx.get(f"http://127.0.0.1:{port}/ping", timeout=30, trust_env=False).status_code == 503
            server.terminate()
            assert server.wait(20) == 0
            connection.settimeout(20)
            while connection.recv(65536):  # until pip has ended
                pass
        finally:
            server.kill()
            log, _ = server.communicate()
    assert "Installing code/requirements.txt: simulator-of-nobody" in log
    assert list((tmp_path / "tmp").iterdir()) == []
