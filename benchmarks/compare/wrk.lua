-- Reads sessions in turn. Each line of the file that is named is a Cookie header.
local requests, last = {}, 0

function init(args)
   for cookie in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("GET", "/read", { Cookie = cookie })
   end
end

function request()
   last = last % #requests + 1
   return requests[last]
end

function done(summary)
   local e = summary.errors
   local failed = e.connect + e.read + e.write + e.status + e.timeout
   io.write(string.format("total %d %d %d\n", summary.requests, summary.duration, failed))
end
