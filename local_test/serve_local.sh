#!/bin/sh
# Serve the model that train_local.sh left in test_dir/ on port 8080 of this machine only, until Ctrl-C.
# GET / shows the car in a browser, driven by the model.
# Usage: local_test/serve_local.sh [IMAGE]        (mountain-car-serving; PORT=8080)
set -eu
image=${1:-mountain-car-serving}
folder=$(cd "$(dirname "$0")" && pwd)/test_dir
exec docker run --platform linux/amd64 --rm -p "127.0.0.1:${PORT:-8080}:8080" -e SAGEMAKER_RL_PAGE=1 -v "$folder/model:/opt/ml/model:ro" "$image" serve
