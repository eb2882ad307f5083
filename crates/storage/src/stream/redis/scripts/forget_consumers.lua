-- ARGV[4]: the idle time in ms. A consumer that holds entries is never deleted, because its claims would be lost.
local forgotten = 0
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local info = map(flat)
  if info.pending == 0 and info.idle > tonumber(ARGV[4]) then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, info.name)
    forgotten = forgotten + 1
  end
end
return forgotten
