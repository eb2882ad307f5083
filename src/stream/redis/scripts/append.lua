-- ARGV[4]: the most entries that may wait (0: do not look); ARGV[5]: how many come with it, here and
-- in later calls; then the entries, each as the number of its names and values, and those.
-- Answers {1, appended ever, ids} or {0, waiting}.
local epoch, info, about = life()
if not epoch then return lost end
local limit, coming = tonumber(ARGV[4]), tonumber(ARGV[5])
if limit > 0 then
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
