-- KEYS: a stream and its index. ARGV: ids of posts. Removes their entries and returns their number. Returns -1 if the
-- index does not cover the stream, because an earlier version or another program has written to it.
local stream, index = KEYS[1], KEYS[2]
if redis.call('ZCARD', index) ~= redis.call('XLEN', stream) then return -1 end
local removed = 0
for _, post in ipairs(ARGV) do
  local prefix = post .. '\0'
  for _, found in ipairs(redis.call('ZRANGEBYLEX', index, '[' .. prefix, '(' .. post .. '\1')) do
    local id = found:sub(#prefix + 1)
    if id:match('^%d+-%d+$') then
      removed = removed + redis.call('XDEL', stream, id)
      redis.call('ZREM', index, found)
    end
  end
end
return removed
