#!/bin/sh
# Make the environment of the laptop: scripts/make_venv.sh FOLDER [PYTHON]
#
# It holds the scripts' own packages, on any system. On Linux on x86-64 with Python 3.11, the only ones that MXNet has packages
# for, it also holds what the images hold: jobs and endpoints then run as processes, too.
set -eu
folder=$1
cd "$(dirname "$0")/.."

# Print the path of a usable Python, its version, and whether its pip can install into another environment. Of an environment's
# Python it is the one that made it: the environment may be the one that is made anew.
describe() {
    base=$("$1" -c 'import sys; print(sys._base_executable)' 2>/dev/null) && "$base" -c '
import ensurepip, sys, venv
if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit(1)
try:
    import pip
    with_pip = tuple(int(part) for part in pip.__version__.split(".")[:2]) >= (22, 3)
except (ImportError, ValueError):
    with_pip = False
print("%s|%d.%d|%s" % (sys.executable, *sys.version_info[:2], with_pip))' 2>/dev/null
}

find_python() {
    if [ -n "$1" ]; then
        describe "$1" && return
        echo "PYTHON is $1, expected the command of a Python 3.11 to 3.14 with its module venv." >&2
        exit 2
    fi
    for python in python3.11 $(uv python find --no-project 3.11 2>/dev/null) python3 python3.14 python3.13 python3.12; do
        describe "$python" && return
    done
    echo "There is no Python 3.11 to 3.14 with its module venv: get one by this system's packages (apt-get install python3-venv," \
        "brew install python) or by uv python install 3.11 (https://docs.astral.sh/uv)." >&2
    exit 2
}

packages() { # those of a lock file whose names match
    sed -n "/^$2==/,/[^\\\\]\$/p" "$1"
}

description=$(find_python "${2:-}")
python=${description%%|*}
with_pip=${description##*|}
version=${description#*|} version=${version%|*}
# The pip of that Python installs uv. Most have one; for the others the environment is made with one, which takes seven seconds.
if [ "$with_pip" = True ]; then
    "$python" -m venv --clear --without-pip "$folder"
    pip() { "$python" -m pip --python "$folder/bin/python" "$@"; }
else
    "$python" -m venv --clear "$folder"
    pip() { "$folder/bin/python" -m pip "$@"; }
fi
pip config get global.index-url > "$folder/index.txt" 2>/dev/null &
packages requirements.txt uv > "$folder/uv.txt"
pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement "$folder/uv.txt"
wait
PACKAGE_INDEX=$(cat "$folder/index.txt")
export PACKAGE_INDEX
install() {
    scripts/install_packages.sh "$folder" "$@"
}

if [ "$(uname -sm) $version" != "Linux x86_64 3.11" ]; then
    echo "Setting up $folder with Python $version: the scripts. Jobs run as processes on Linux on x86-64 with Python 3.11 alone."
    install --only-binary :all: --requirement requirements.txt
    exit
fi
echo "Setting up $folder with Python $version: the scripts, and what the images hold."
# rl-coach, gym and sagemaker-training are built from source with the pinned setuptools: hence without isolation. All there is
# to compile is sagemaker-training's gethostname, which only jobs of several hosts need (container_src/gethostname.py stands
# in for it): `true` as the compiler leaves it out. Not in a cache: other projects would get that package from there.
export CC=true
install --requirement docker/build-requirements.txt
packages docker/training/requirements.txt sagemaker-training > "$folder/compiled.txt"
install --no-cache-dir --requirement "$folder/compiled.txt"
install --requirement docker/training/requirements.txt --requirement docker/serving/requirements.txt --requirement requirements.txt
# What jobs, endpoints and scripts import is compiled, on all cores; the rest when it is imported. compileall's own -j takes half
# as long again. The largest come first.
cd "$folder/lib/python3.11/site-packages"
echo pandas requests yaml six.py mxnet tqdm idna certifi matplotlib httpx httpcore h5py numpy bcrypt nacl psutil bokeh urllib3 jinja2 \
    markupsafe botocore boto3 s3transfer dateutil gymnasium gym pygame PIL rl_coach docker sagemaker_training pyparsing paramiko \
    invoke cryptography typing_extensions.py setuptools pkg_resources |
    xargs -n 4 -P "$(getconf _NPROCESSORS_ONLN)" ../../../bin/python -W ignore -m compileall -q \
        -x '/(tests?|distutils|f2py|examples|mujoco|robotics|presets)/'
