#!/bin/sh
# Write the hashed lock files anew from the *.in files beside them. Usage: docker/lock.sh [--upgrade]   (needs uv)
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-header --no-annotate \
        --build-constraints docker/build-requirements.in "$@"
}
compile "$@" -o docker/build-requirements.txt docker/build-requirements.in
compile "$@" -o docker/training/requirements.txt --override docker/training/never-imported.txt docker/training/requirements.in
compile "$@" -o docker/serving/requirements.txt --override docker/serving/never-imported.txt \
    --constraint docker/training/requirements.txt docker/serving/requirements.in
compile "$@" -o requirements.txt --constraint docker/training/requirements.txt \
    --constraint docker/serving/requirements.txt requirements.in
compile "$@" -o requirements-test.txt --constraint requirements.txt --constraint docker/training/requirements.txt \
    --constraint docker/serving/requirements.txt --constraint docker/build-requirements.txt requirements-test.in
for version in v2 v3; do
    compile "$@" -o "tests/sdk/requirements-$version.txt" --override tests/sdk/never-imported.txt "tests/sdk/requirements-$version.in"
done
compile "$@" -o benchmarks/mutation/requirements.txt --constraint requirements-test.txt benchmarks/mutation/requirements.in
