#!/bin/sh
# Install locked packages into an environment: scripts/install_packages.sh FOLDER --requirement LOCK ...
#
# uv installs in two seconds what pip takes half a minute for, and is told the index and the certificates that pip is configured
# with. Should it fail, as it does behind a proxy that asks for more than that, pip takes its place. Both check the hashes.
set -eu
folder=$1
shift
laptop=$(dirname "$0")/../.venv/bin
uv=$folder/bin/uv
[ -x "$uv" ] || uv=$laptop/uv

pip() { # the environment's own, else that of .venv, else that of the Python it was made with
    if [ -x "$folder/bin/pip" ]; then
        "$folder/bin/python" -m pip "$@"
    elif [ -x "$laptop/pip" ]; then
        "$laptop/python" -m pip --python "$folder/bin/python" "$@"
    else
        "$("$folder/bin/python" -c 'import sys; print(sys._base_executable)')" -m pip --python "$folder/bin/python" "$@"
    fi
}

# PACKAGE_INDEX: of a caller that has asked pip already.
index=${PIP_INDEX_URL:-${PACKAGE_INDEX-$(pip config get global.index-url 2>/dev/null || true)}}
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
[ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
if ! "$uv" pip install --quiet --python "$folder/bin/python" --require-hashes --no-build-isolation --no-deps "$@"; then
    echo "uv cannot install the packages: pip does." >&2
    pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-build-isolation --no-deps "$@"
fi
