"""The command ``serve``: what it listens on, what it loads, and what it says of its own mistakes and the user's."""

import os
import socket
import sys

import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.serving import memory, models, requirements, servable, server
from sagemaker_rl.serving.settings import Settings


def test_listening():
    with server._listen("127.0.0.1", 0) as listener:
        assert not listener.getblocking()
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            pass
        with pytest.raises(InputError, match=rf"_PORT are 127.0.0.1 and {port}: Address already in use\.$"):
            server._listen("127.0.0.1", port)
    with server._listen("::1", 0) as listener:
        assert listener.family == socket.AF_INET6


@pytest.mark.parametrize("host", ["192.0.2.1", "x" * 70])
def test_an_address_that_cannot_be_used(host):
    with pytest.raises(InputError, match=f"SAGEMAKER_BIND_TO_HOST and _PORT are {host} and 0: .+"):
        server._listen(host, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "'', expected 'serve'"),
        (["train"], "'train', expected 'serve'; mountain-car-training is the image that trains"),
        (["serve", "now"], "'serve now', expected 'serve'"),
    ],
)
def test_another_command_is_refused(monkeypatch, capsys, arguments, said):
    monkeypatch.setattr(server, "end_process_at_sigterm", lambda: None)
    monkeypatch.setattr(server.sys, "argv", ["serve", *arguments])
    with pytest.raises(SystemExit) as status:
        server.serve_main()
    assert status.value.code == 2
    assert capsys.readouterr().err == f"Error: The command is {said}.\n"


def test_a_mistake_of_the_users_is_one_sentence(monkeypatch, capsys):
    ended = []

    def fail():
        raise InputError("A sentence.")

    monkeypatch.setattr(server, "end_process_at_sigterm", lambda: None)
    monkeypatch.setattr(server.sys, "argv", ["serve", "serve"])
    monkeypatch.setattr(server, "_serve", fail)
    monkeypatch.setattr(os, "_exit", ended.append)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MXNET_ENGINE_TYPE", "MXNET_ENGINE_INFO"):
        monkeypatch.setenv(name, "kept")
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    server.serve_main()
    assert ended == [1]
    assert capsys.readouterr().err == "Error: A sentence.\n"
    assert [os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")] == ["7", "1"]
    assert [os.environ[name] for name in ("MXNET_ENGINE_TYPE", "MXNET_ENGINE_INFO")] == ["NaiveEngine", "0"]


@pytest.mark.parametrize(
    ("multi_model", "room", "user_code", "loaded"),
    [
        ("false", True, False, "loaded"),
        ("false", True, True, None),
        ("true", False, False, None),
    ],
)
def test_what_is_loaded_before_the_workers(tmp_path, monkeypatch, multi_model, room, user_code, loaded):
    settings = Settings.from_environment({"SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_MULTI_MODEL": multi_model})
    folder = settings.model_dir
    installed = []
    for module in ("mxnet", "sagemaker_rl.serving.user_code"):  # seconds to import, and nothing is computed here
        monkeypatch.setitem(sys.modules, module, sys)
    monkeypatch.setattr(memory, "has_room_for", lambda *asked: room and asked == (folder, 1))
    monkeypatch.setattr(models, "has_user_code", lambda folder, program: user_code)
    monkeypatch.setattr(requirements, "install", installed.append)
    monkeypatch.setattr(servable.Servable, "load", lambda *asked: asked == (folder, True) and "loaded")
    assert server._load(settings) == loaded
    assert installed == ([folder] if user_code else [])


def test_a_model_that_memory_does_not_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "has_room_for", lambda folder, times: False)
    settings = Settings.from_environment({"SAGEMAKER_BASE_DIR": str(tmp_path)})
    with pytest.raises(InputError, match=f"The files in {tmp_path}/model are larger than the memory that is left"):
        server._load(settings)
