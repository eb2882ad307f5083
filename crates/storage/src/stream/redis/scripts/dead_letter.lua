-- ARGV[4]: the epoch of the entry, [5]: its id, [6]: the maximum size of the dead letters in bytes, then the fields of
-- the dead letter. Returns 1, or 0 if the entry was already settled, and the number of dead letters that were removed
-- because of the maximum size.
if redis.call('HGET', books, 'epoch') ~= ARGV[4] then return { 0, 0 } end
local id = ARGV[5]
if #redis.call('XPENDING', stream, group, id, id, 1) == 0 then return { 0, 0 } end
if redis.call('ZSCORE', done, sortable(id)) then
  -- The entry was dead-lettered before. The group was created again and has read the entry again.
  redis.call('XACK', stream, group, id)
  return { 0, 0 }
end
-- The command that Redis may refuse comes first, so that a refusal leaves everything unchanged.
local letter = redis.call('XADD', dead, '*', unpack(ARGV, 7))
local post = ''
for i = 7, #ARGV, 2 do
  if ARGV[i] == 'post_id' then post = ARGV[i + 1] break end
end
redis.call('ZADD', dead_index, 0, post .. '\0' .. letter)
redis.call('XACK', stream, group, id)
redis.call('ZADD', done, 0, sortable(id))
redis.call('HINCRBY', books, 'dead_lettered', 1)
return { 1, drop_oldest(dead, dead_index, surplus(dead, tonumber(ARGV[6]))) }
