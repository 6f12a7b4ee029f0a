-- Sends what bench/drive.py describes in environment variables, and prints its figures as one line of JSON.
-- wrk passes no body through its command line, and gives percentiles to scripts alone.
local head, path, method = os.getenv("BENCH_HEAD"), os.getenv("BENCH_PATH"), os.getenv("BENCH_METHOD")
local body = os.getenv("BENCH_BODY")
local subjects = {}

function init(_)
  math.randomseed(tonumber(os.getenv("BENCH_SEED")))
  for subject in io.lines(os.getenv("BENCH_SUBJECTS")) do subjects[#subjects + 1] = subject end
  for name, value in string.gmatch(head, "([^:\n]+): ([^\n]+)\n") do wrk.headers[name] = value end
end

function request()
  local subject = subjects[math.random(#subjects)]
  if wrk.headers["idempotency-key"] then
    wrk.headers["idempotency-key"] = string.format("%08x%08x%08x%08x",
      math.random(0, 2147483647), math.random(0, 2147483647), math.random(0, 2147483647), math.random(0, 2147483647))
  end
  local filled = body ~= "" and string.gsub(body, "{subject}", subject) or nil
  return wrk.format(method, (string.gsub(path, "{subject}", subject)), wrk.headers, filled)
end

function done(summary, latency, _)
  io.write(string.format(
    '\n{"seconds":%f,"answered":%d,"refused":%d,"broken":%d,"p50":%f,"p95":%f,"p99":%f}\n',
    summary.duration / 1e6, summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
