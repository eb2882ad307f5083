-- Returns the epoch, the number of entries that were appended in it, the lag, whether the lag is exact (1 or 0), the
-- numbers of claimed entries, of dead-lettered entries and of current dead letters, the oldest unsettled id or '', the
-- last delivered id, the number of added entries that Redis counts, the used bytes, maxmemory, and the number of bytes
-- above which appends are refused.
local epoch, info, about = life()
if not epoch then return lost end
-- This is a write, so that a Redis server which refuses writes is detected.
redis.call('HSET', books, 'seen', about['entries-added'])
local base, gone, dead_lettered = unpack(redis.call('HMGET', books, 'base', 'lost', 'dead_lettered'))
local waiting, exact = lag(info, about)
local oldest = ''
if info.pending > 0 then
  oldest = redis.call('XPENDING', stream, group)[2]
else
  local next_one = redis.call('XRANGE', stream, '(' .. info['last-delivered-id'], '+', 'COUNT', 1)
  if next_one[1] then oldest = next_one[1][1] end
end
local added = about['entries-added']
local used, max, most = memory()
return {
  epoch, added - base - gone, waiting, exact and 1 or 0, info.pending, tonumber(dead_lettered),
  redis.call('XLEN', dead), oldest, info['last-delivered-id'], added,
  used, max, most,
}
