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
# The laptop's tools run on other systems, too. Where the images' packages are installed beside them, the versions are those.
beside_images='python_version < "3.12" and sys_platform == "linux" and platform_machine == "x86_64"'
constraints=$(mktemp)
trap 'rm -f "$constraints"' EXIT
sed -n "s/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1 ; $beside_images/p" docker/build-requirements.txt docker/training/requirements.txt \
    docker/serving/requirements.txt | sort -u > "$constraints"
compile_for_all() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint "$constraints" "$@"
}
never=$(sed -n 's/^\([A-Za-z]*\) ;.*/--no-emit-package \1/p' never-imported.txt)
compile_for_all "$@" -o requirements.txt --override never-imported.txt $never requirements.in
compile_for_all "$@" -o requirements-test.txt --constraint requirements.txt requirements-test.in
for version in v2 v3; do
    compile "$@" -o "tests/sdk/requirements-$version.txt" --override tests/sdk/never-imported.txt "tests/sdk/requirements-$version.in"
done
compile "$@" -o benchmarks/mutation/requirements.txt --constraint requirements-test.txt benchmarks/mutation/requirements.in
