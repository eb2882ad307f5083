-- ARGV[4]: the consumer. The ids of everything it holds in the eyes of Redis.
local ids = {}
for i, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', 1000000, ARGV[4])) do ids[i] = pending[1] end
return ids
