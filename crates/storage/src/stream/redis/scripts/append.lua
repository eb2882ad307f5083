-- ARGV[4]: the maximum number of waiting entries (0: not checked); ARGV[5]: the number of entries in this call and in
-- the calls that follow; then the entries. Each entry is a count, followed by that many names and values. Returns {1,
-- number of entries ever appended, ids, epoch}, {0, number of waiting entries} if the maximum would be exceeded, or {2,
-- used bytes, maxmemory} if memory is short.
local epoch, info, about = life()
if not epoch then return lost end
local limit, coming = tonumber(ARGV[4]), tonumber(ARGV[5])
if limit > 0 then
  local used, max, most = memory()
  if max > 0 and used >= most then return { 2, used, max } end
  local waiting = info.pending + lag(info, about)
  if waiting > 0 and waiting + coming > limit then return { 0, waiting } end
end
local ids, at = {}, 6
while at <= #ARGV do
  local size = tonumber(ARGV[at])
  ids[#ids + 1] = redis.call('XADD', stream, '*', unpack(ARGV, at + 1, at + size))
  at = at + 1 + size
end
local added = about['entries-added'] + #ids
redis.call('HSET', books, 'seen', added)
return { 1, added, ids, epoch }
