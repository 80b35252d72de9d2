"""The keys that the hosts of a job make, each by itself."""

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import ssh_keys

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:training-job/cars"


def install(folder: Path, monkeypatch, arn=ARN, value="a value") -> dict[str, str]:
    monkeypatch.setattr(ssh_keys, "RUN", folder / "run")
    for name, content in ((ssh_keys.JOB, arn), (ssh_keys.SHARED_VALUE, value)):
        monkeypatch.setenv(name, content) if content else monkeypatch.delenv(name, raising=False)
    ssh_keys.hide()
    ssh_keys.install(folder / "root", folder / "ssh")
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_hosts_of_a_job_make_the_same_keys_and_other_jobs_make_others(tmp_path, monkeypatch):
    def keys(name, **given):
        files = install(tmp_path / name, monkeypatch, **given)
        return files["root/.ssh/authorized_keys"], files["root/.ssh/known_hosts"].removeprefix("* ")

    of_one = keys("one")
    assert of_one == keys("two")
    others = [keys("arn", arn=f"{ARN}-2"), keys("value", value="another"), keys("none", value="")]
    assert len({*of_one, *(key for pair in others for key in pair)}) == 8


def public_of(private: str) -> str:
    key = load_ssh_private_key(private.encode(), None)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"


def test_a_private_key_is_the_public_ones():
    private, public = ssh_keys.derive("shared", "user")
    assert public_of(private) == public != ssh_keys.derive("shared", "host")[1]


def test_nobody_else_is_let_in_and_no_other_host_is_trusted(tmp_path, monkeypatch):
    files = install(tmp_path, monkeypatch)
    user, host = (ssh_keys.derive(f"a value\n{ARN}", purpose) for purpose in ("user", "host"))
    assert public_of(files["root/.ssh/id_ed25519"]) == user[1]
    assert public_of(files["ssh/job_host_key"]) == host[1]
    assert files["root/.ssh/authorized_keys"] == user[1]
    assert files["root/.ssh/known_hosts"] == f"* {host[1]}"
    assert "StrictHostKeyChecking yes\n" in files["root/.ssh/config"]
    assert f"IdentityFile {tmp_path}/root/.ssh/id_ed25519\n" in files["root/.ssh/config"]
    assert f"HostKey {tmp_path}/ssh/job_host_key\n" in files["ssh/sshd_config.d/job.conf"]
    assert "PasswordAuthentication no\n" in files["ssh/sshd_config.d/job.conf"]
    for file in ("root/.ssh/id_ed25519", "root/.ssh/authorized_keys", "ssh/job_host_key"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600


def test_programs_of_the_job_do_not_get_the_value(tmp_path, monkeypatch, capsys):
    install(tmp_path, monkeypatch, value="hidden")
    assert subprocess.run(["env"], capture_output=True, text=True, check=True).stdout.count("hidden") == 0
    assert capsys.readouterr().out == "Hosts> Keys of=the job's ARN and a random value\n"
    install(tmp_path, monkeypatch, value="")
    assert capsys.readouterr().out == "Hosts> Keys of=the job's ARN alone (docs/scale-out.md)\n"


def test_hosts_that_share_nothing_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"^Environment variable TRAINING_JOB_ARN is missing, expected as"):
        install(tmp_path, monkeypatch, arn="", value="")
