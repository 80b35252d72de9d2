"""requirements.txt from a package index whose certificate only a company's own authority vouches for: PIP_CERT."""

import http.server
import shutil
import ssl
import subprocess
import threading
import zipfile

import psutil
import pytest
from containers import script_mode, start_train
from jobs import ROOT, write_inputs

CUSTOM = ROOT / "tests/resources/custom_environment"
NOT_TRUSTED = (
    "requirements.txt cannot be installed: No matching distribution found for own-simulator==1.0, as the certificate "
    "of the package index is not trusted: PIP_CERT names a file of those that are."
)


@pytest.fixture(scope="module")
def index(engine, tmp_path_factory):
    """A package index of one package, over TLS, at an address that containers reach: its URL and its certificate."""
    bridge = engine.networks.get("bridge").attrs["Options"]["com.docker.network.bridge.name"]
    host = psutil.net_if_addrs()[bridge][0].address
    folder = tmp_path_factory.mktemp("index")
    certificate, key = folder / "company.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=index"]
    command += ["-addext", f"subjectAltName=IP:{host}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    wheel = folder / "served/simple/own-simulator/own_simulator-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("own_simulator.py", "")
        about = "own_simulator-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: own-simulator\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder / "served"))

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://{host}:{server.server_port}/simple", certificate
    server.shutdown()


@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE", None])
def test_of_a_job_in_a_channel(run, index, tmp_path, variable):
    url, certificate = index
    given = script_mode(tmp_path, CUSTOM, "hello.py", requirements="own-simulator==1.0\n")
    write_inputs(tmp_path, given, host="algo-1")
    (tmp_path / "input/data/certificates").mkdir()
    shutil.copy(certificate, tmp_path / "input/data/certificates")
    environment = {"PIP_INDEX_URL": url, "PIP_RETRIES": "0"}
    if variable:
        environment[variable] = "/opt/ml/input/data/certificates/company.pem"
    container = start_train(run, tmp_path, environment=environment, network_mode="bridge")
    assert container.wait(timeout=120)["StatusCode"] == (0 if variable else 1), container.logs().decode()
    assert ("Successfully installed own-simulator-1.0" in container.logs().decode()) == bool(variable)
    if not variable:
        assert (tmp_path / "output/failure").read_text() == NOT_TRUSTED


@pytest.mark.parametrize("trusted", [True, False])
def test_of_an_endpoint_within_its_model(run, index, tmp_path, trusted):
    """The model has nothing else in it, with which an endpoint ends as soon as its requirements are installed."""
    url, certificate = index
    (tmp_path / "code").mkdir()
    shutil.copy(certificate, tmp_path / "code")
    (tmp_path / "code/requirements.txt").write_text("own-simulator==1.0\n")
    (tmp_path / "code/inference.py").write_text("raise OSError('the end')\n")
    environment = {"PIP_INDEX_URL": url, "PIP_RETRIES": "0"}
    if trusted:
        environment["PIP_CERT"] = "/opt/ml/model/code/company.pem"
    model = {str(tmp_path): {"bind": "/opt/ml/model", "mode": "ro"}}
    container = run("serving", "serve", volumes=model, environment=environment)
    assert container.wait(timeout=120)["StatusCode"] == 1
    last = container.logs().decode().splitlines()[-1]
    assert last == ("Error: OSError: the end" if trusted else f"Error: code/{NOT_TRUSTED}")
