-- ARGV[4]: the consumer, [5]: the idle time in ms, [6]: the maximum number of entries. An entry that was delivered
-- twice or more is taken over alone: if it makes the process crash again, no other entry counts an additional delivery.
-- Returns the epoch, the number of claimed entries that other programs had deleted from the stream, and for each entry
-- that was taken over the number of earlier deliveries and the entry.
local epoch = redis.call('HGET', books, 'epoch')
if not epoch then return lost end
local consumer, min_idle, max = ARGV[4], ARGV[5], tonumber(ARGV[6])
local idle = redis.call('XPENDING', stream, group, 'IDLE', min_idle, '-', '+', max)
if #idle == 0 then return { epoch, 0, {} } end

local before = {}
for i, pending in ipairs(idle) do
  before[pending[1]] = pending[4]
  if pending[4] >= 2 then
    max = math.max(i - 1, 1)
    break
  end
end
local taken, deleted, from = {}, 0, idle[1][1]
repeat
  -- XAUTOCLAIM examines a limited number of claims per call, so several calls may be needed.
  local answer = redis.call('XAUTOCLAIM', stream, group, consumer, min_idle, from, 'COUNT', max - #taken)
  from = answer[1]
  for _, entry in ipairs(answer[2]) do
    if entry[2] then
      taken[#taken + 1] = { before[entry[1]] or 1, entry }
    else
      deleted = deleted + redis.call('XACK', stream, group, entry[1])
    end
  end
  deleted = deleted + #(answer[3] or {})
until from == '0-0' or #taken + deleted >= max
if deleted > 0 then redis.call('HINCRBY', books, 'lost', deleted) end
return { epoch, deleted, taken }
