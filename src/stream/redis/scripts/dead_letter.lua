-- ARGV[4]: the epoch of the entry, [5]: its id, then the fields for the dead letter.
if redis.call('HGET', books, 'epoch') ~= ARGV[4] then return 0 end
local id = ARGV[5]
if #redis.call('XPENDING', stream, group, id, id, 1) == 0 then return 0 end
if redis.call('ZSCORE', done, sortable(id)) then
  -- The group was made anew and read it again.
  redis.call('XACK', stream, group, id)
  return 0
end
-- What may be refused comes first: then nothing was changed.
redis.call('XADD', dead, '*', unpack(ARGV, 6))
redis.call('XACK', stream, group, id)
redis.call('ZADD', done, 0, sortable(id))
redis.call('HINCRBY', books, 'dead_lettered', 1)
return 1
