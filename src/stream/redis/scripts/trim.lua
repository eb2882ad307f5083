-- ARGV[4]: the most entries to drop in this call.
-- Drops what every group has settled. Answers the epoch, the lowest id that is needed, and 1 when all below it is gone.
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
    -- A sequence that a number cannot hold exactly keeps its entry.
    first = #seq > 15 and info['last-delivered-id'] or ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
  end
  if not needed or sortable(first) < sortable(needed) then needed = first end
end
local dropped = redis.call('XTRIM', stream, 'MINID', '~', needed, 'LIMIT', ARGV[4])
if dropped > 0 then return { epoch, needed, 0 } end
-- Whole nodes are gone; now the rest of the first one, so that nothing below can come again.
redis.call('XTRIM', stream, 'MINID', '=', needed)
redis.call('ZREMRANGEBYLEX', done, '-', '(' .. sortable(needed))
return { epoch, needed, 1 }
