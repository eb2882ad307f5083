-- KEYS: a stream and its index. ARGV[1]: the approximate maximum number of entries in the stream, [2]: its maximum size
-- in bytes; then the entries. Each entry is a count, followed by that many names and values.
local stream, index, at = KEYS[1], KEYS[2], 3
while at <= #ARGV do
  local size = tonumber(ARGV[at])
  local id = redis.call('XADD', stream, '*', unpack(ARGV, at + 1, at + size))
  local post = ''
  for i = at + 1, at + size, 2 do
    if ARGV[i] == 'post_id' then post = ARGV[i + 1] break end
  end
  redis.call('ZADD', index, 0, post .. '\0' .. id)
  at = at + 1 + size
end
local over = redis.call('XLEN', stream) - tonumber(ARGV[1])
return drop_oldest(stream, index, math.max(math.min(over, 1000), surplus(stream, tonumber(ARGV[2]))))
