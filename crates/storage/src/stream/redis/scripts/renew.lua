-- ARGV[4]: the consumer, [5] and [6]: the first and the last id, then all ids. Renews only claims that the consumer
-- still holds. An entry that another consumer has taken over stays with that consumer.
local mine = {}
for _, pending in ipairs(redis.call('XPENDING', stream, group, ARGV[5], ARGV[6], 1000000, ARGV[4])) do
  mine[pending[1]] = true
end
for i = 7, #ARGV do
  if mine[ARGV[i]] then redis.call('XCLAIM', stream, group, ARGV[4], 0, ARGV[i], 'JUSTID') end
end
return 1
