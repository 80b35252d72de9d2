"""The keys with which the hosts of one job let each other in by ssh, made on every host alike when the job begins.

mpirun starts the ranks of other hosts by ssh. No key is in the image: two jobs, or two users of the image, would then
have the same. Hosts share nothing but what SageMaker tells them, so the keys follow from that: from the job's ARN, and
from a random value that the launch scripts put into the job's environment. Without that value whoever knows the ARN and
gets to port 22 of the job's network can make the key; docs/scale-out.md says what that means.
"""

import hashlib
import hmac
import os
from pathlib import Path

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs

SHARED_VALUE = "SAGEMAKER_RL_SSH_SECRET"
"""The random value's name. Programs do not have it in their environment; root finds it in that of process 1."""
JOB = "TRAINING_JOB_ARN"
"""What SageMaker tells every host of a job, and no other job."""
RUN = Path("/run/sshd")
"""The empty folder in which sshd separates its privileges."""
SSHD_CONFIG = """\
HostKey {host_key}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
AllowTcpForwarding no
X11Forwarding no
PermitTTY no
LogLevel ERROR
"""
SSH_CONFIG = """\
Host *
    IdentityFile {identity}
    UserKnownHostsFile {known_hosts}
    StrictHostKeyChecking yes
    LogLevel ERROR
"""


_hidden: dict[str, str] = {}


def hide() -> None:
    """Take the random value out of this process's environment, before it starts others."""
    _hidden[SHARED_VALUE] = os.environ.pop(SHARED_VALUE, "")


def install(home: Path = Path("/root"), etc: Path = Path("/etc/ssh")) -> None:
    """Write the job's keys, and the configuration of ssh and sshd, which trust these keys alone.

    Args:
        home: of the user that the ranks run as.
        etc: where sshd looks for its configuration.

    Raises:
        InputError: There is nothing that the hosts of this job share.
    """
    secret, arn = _hidden.get(SHARED_VALUE, ""), os.environ.get(JOB, "")
    if not secret and not arn:
        raise InputError(
            f"Environment variable {JOB} is missing, expected as SageMaker sets it on every host of a job."
        )
    outputs.metric_line(
        "Hosts", Keys_of="the job's ARN and a random value" if secret else "the job's ARN alone (docs/scale-out.md)"
    )
    user, host = (derive(f"{secret}\n{arn}", purpose) for purpose in ("user", "host"))
    folder, host_key = home / ".ssh", etc / "job_host_key"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (etc / "sshd_config.d").mkdir(parents=True, exist_ok=True)
    RUN.mkdir(exist_ok=True)
    names = {"identity": folder / "id_ed25519", "known_hosts": folder / "known_hosts", "host_key": host_key}
    _write(names["identity"], user[0])
    _write(host_key, host[0])
    _write(folder / "authorized_keys", user[1])
    _write(names["known_hosts"], f"* {host[1]}")
    _write(folder / "config", SSH_CONFIG.format(**names))
    _write(etc / "sshd_config.d" / "job.conf", SSHD_CONFIG.format(**names))


def derive(shared: str, purpose: str) -> tuple[str, str]:
    """Return a private and a public Ed25519 key, as OpenSSH has them in files, that follow from what hosts share."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = hmac.new(shared.encode(), purpose.encode(), hashlib.sha256).digest()
    key = Ed25519PrivateKey.from_private_bytes(seed)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode() + "\n"


def _write(file: Path, content: str) -> None:
    file.touch(mode=0o600)
    file.write_text(content, encoding="utf-8")
