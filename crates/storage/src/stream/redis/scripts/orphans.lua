-- ARGV[4]: the consumer. Returns the ids of all entries that Redis has assigned to it.
local ids = {}
for i, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', 1000000, ARGV[4])) do ids[i] = pending[1] end
return ids
