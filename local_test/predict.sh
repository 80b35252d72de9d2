#!/bin/sh
# Send a payload file to the server that serve_local.sh started, and print its answer.
# Usage: local_test/predict.sh PAYLOAD [CONTENT_TYPE]        (application/json; PORT=8080)
set -eu
payload=${1:?Usage: predict.sh PAYLOAD [CONTENT_TYPE]}
exec curl --silent --show-error --data-binary "@$payload" --header "Content-Type: ${2:-application/json}" \
    "http://localhost:${PORT:-8080}/invocations"
