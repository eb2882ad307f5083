-- ARGV[4], ...: ids of dead letters. Removes these dead letters and returns how many of them existed.
local purged = 0
for i = 4, #ARGV do
  local entry = redis.call('XRANGE', dead, ARGV[i], ARGV[i])[1]
  if entry then
    purged = purged + redis.call('XDEL', dead, ARGV[i])
    redis.call('ZREM', dead_index, member(entry[2], ARGV[i]))
  end
end
return purged
