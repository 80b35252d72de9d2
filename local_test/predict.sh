#!/bin/sh
# Send a payload file to the server that serve_local.sh started, and print its answer; exit status 22 for a 4xx or 5xx.
# Usage: local_test/predict.sh PAYLOAD [CONTENT_TYPE]        (application/json; PORT=8080)
set -eu
payload=${1:?Usage: predict.sh PAYLOAD [CONTENT_TYPE]}
exec curl --silent --show-error --fail-with-body --noproxy '*' \
    --data-binary "@$payload" --header "Content-Type: ${2:-application/json}" \
    "http://127.0.0.1:${PORT:-8080}/invocations"
