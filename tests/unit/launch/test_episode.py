"""A car driven through an endpoint that dies, and predict.sh, which asks one."""

import os
import subprocess

import httpx
import pytest
from jobs import ROOT
from launch.cli import errors
from launch.sagemaker import episode
from stand_ins import Healthy, server_of


def test_an_endpoint_that_died_is_a_failed_job():
    class HangsUp(Healthy):
        def do_POST(self):
            self.close_connection = True

    died = pytest.raises(errors.JobFailed, match="does not answer")
    with server_of(HangsUp) as url, httpx.Client(trust_env=False) as client, died:
        episode.predict(client, url, [0.0, 0.0])
    with httpx.Client(trust_env=False) as client, died:  # the port is closed now
        episode.drive(client, url, continuous=True, seed=0)


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
