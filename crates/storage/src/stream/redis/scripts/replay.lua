-- ARGV[4]: the maximum number of waiting entries, [5] and [6]: the range of dead letters, [7]: the maximum number.
-- Appends dead letters again and removes them. Returns {1, number of entries ever appended, number of replayed ones,
-- last id that was read, ids of those that are too long for a script}, {0, number of waiting entries}, or {2, used
-- bytes, maxmemory} if memory is short.
local epoch, info, about = life()
if not epoch then return lost end
local used, max, most = memory()
if max > 0 and used >= most then return { 2, used, max } end
local page = redis.call('XRANGE', dead, ARGV[5], ARGV[6], 'COUNT', ARGV[7])
local limit, waiting = tonumber(ARGV[4]), info.pending + lag(info, about)
if #page > 0 and waiting > 0 and waiting + #page > limit then return { 0, waiting } end

local ours = { 'error', 'reason', 'deliveries', 'failed_at', 'origin_id' }
local replayed, last, long = 0, '', {}
for _, entry in ipairs(page) do
  local id, fields = entry[1], entry[2]
  local size = #fields - 2 * #ours
  for i, name in ipairs(ours) do
    -- An entry that another program has added is replayed without changes.
    if size <= 0 or fields[size + 2 * i - 1] ~= name then size = #fields break end
  end
  if size > 7000 then
    long[#long + 1] = id
  else
    redis.call('XADD', stream, '*', unpack(fields, 1, size))
    redis.call('XDEL', dead, id)
    redis.call('ZREM', dead_index, member(fields, id))
    replayed = replayed + 1
  end
  last = id
end
local added = about['entries-added'] + replayed
redis.call('HSET', books, 'seen', added)
return { 1, added, replayed, last, long }
