-- ARGV[4]: the consumer, [5]: 1 if the delivery counts, otherwise 0, [6]: an idle time after which any consumer may
-- take over the entries, [7] and [8]: the first and the last id, then all ids. Returns the number of these entries that
-- another program had deleted from the stream.
local consumer, counts, idle = ARGV[4], ARGV[5] == '1', ARGV[6]
local deliveries = {}
for _, pending in ipairs(redis.call('XPENDING', stream, group, ARGV[7], ARGV[8], 1000000, consumer)) do
  deliveries[pending[1]] = pending[4]
end
local deleted = 0
for i = 9, #ARGV do
  local id = ARGV[i]
  if deliveries[id] then
    local count = deliveries[id]
    if not counts and count > 0 then count = count - 1 end
    local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', idle, 'RETRYCOUNT', count, 'JUSTID')
    deleted = deleted + 1 - #claimed
  end
end
if deleted > 0 then redis.call('HINCRBY', books, 'lost', deleted) end
return deleted
