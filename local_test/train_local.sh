#!/bin/sh
# Run a training job in the image, as SageMaker does, on the /opt/ml tree in test_dir/.
# Usage: local_test/train_local.sh [IMAGE]        (mountain-car-training)
set -eu
image=${1:-mountain-car-training}
folder=$(cd "$(dirname "$0")" && pwd)/test_dir
# The container runs as root, as on SageMaker, so what it writes is removed by a container too.
docker run --platform linux/amd64 --rm --entrypoint rm -v "$folder:/opt/ml" "$image" \
    -rf /opt/ml/model /opt/ml/output /opt/ml/code /opt/ml/checkpoints
exec docker run --platform linux/amd64 --rm --network none --hostname algo-1 --add-host algo-1:127.0.0.1 -v "$folder:/opt/ml" "$image" train
