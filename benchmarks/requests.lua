-- What wrk sends, and how it reports: POST with the body in $BODY, or in the file $BODY_FILE, of the type $MEDIA_TYPE
-- both ways; percentiles and failures as JSON on the last line.
wrk.method = "POST"
wrk.body = os.getenv("BODY")
if os.getenv("BODY_FILE") then
  wrk.body = io.open(os.getenv("BODY_FILE"), "rb"):read("*a")
end
local media_type = os.getenv("MEDIA_TYPE") or "application/json"
wrk.headers["Content-Type"] = media_type
wrk.headers["Accept"] = media_type

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f, "p999": %.6f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    latency:percentile(99.9) / 1e6, e.connect + e.read + e.write + e.status + e.timeout))
end
