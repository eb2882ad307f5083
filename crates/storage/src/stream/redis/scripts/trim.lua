-- ARGV[4]: the maximum number of entries to remove in this call. Removes the entries that every group has settled.
-- Returns the epoch, the lowest id that is still needed, and 1 if all entries below it were removed.
local epoch = life()
if not epoch then return lost end
local needed
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = map(flat)
  local first
  if info.pending > 0 then
    first = redis.call('XPENDING', stream, info.name)[2]
  else
    local ms, seq = info['last-delivered-id']:match('^(%d+)-(%d+)$')
    -- If a Lua number cannot represent the sequence of the id exactly, the last delivered entry is kept.
    first = #seq > 15 and info['last-delivered-id'] or ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
  end
  if not needed or sortable(first) < sortable(needed) then needed = first end
end
local dropped = redis.call('XTRIM', stream, 'MINID', '~', needed, 'LIMIT', ARGV[4])
if dropped > 0 then return { epoch, needed, 0 } end
-- The approximate trim removed only whole nodes. The exact trim removes the remaining entries below the id.
redis.call('XTRIM', stream, 'MINID', '=', needed)
redis.call('ZREMRANGEBYLEX', done, '-', '(' .. sortable(needed))
return { epoch, needed, 1 }
