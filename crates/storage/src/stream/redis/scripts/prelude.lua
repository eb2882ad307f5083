-- The common part of all scripts on the input stream. KEYS: the stream, its counters, the ids that were dead-lettered,
-- the dead letters, and the index of the dead letters. ARGV: the group, the epoch that the caller knows, and the number
-- of entries that the caller knows to have been appended in it; the arguments of the script itself begin at ARGV[4].
local stream, books, done, dead, dead_index = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, known_epoch, known_added = ARGV[1], ARGV[2], tonumber(ARGV[3])
local lost = redis.error_reply('NOGROUP the stream, its group or its counters are missing')

local function about_group()
  if redis.call('EXISTS', stream) == 0 then return nil end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = map(flat)
    if info.name == group then return info end
  end
  return nil
end

local function about_stream()
  return map(redis.call('XINFO', 'STREAM', stream))
end

-- Whether the stream was replaced. A stream with fewer added entries than were seen before is a different stream or an
-- older copy.
local function is_replaced(epoch, seen, about)
  local added = about['entries-added']
  return added < tonumber(seen or 0) or (epoch == known_epoch and added < known_added)
end

-- Returns the epoch, the state of the group and the state of the stream; nil if one of them is missing.
local function life()
  local info = about_group()
  if not info then return nil end
  local epoch, seen = unpack(redis.call('HMGET', books, 'epoch', 'seen'))
  local about = about_stream()
  if not epoch or is_replaced(epoch, seen, about) then return nil end
  if about['entries-added'] > tonumber(seen) then
    redis.call('HSET', books, 'seen', about['entries-added'])
  end
  return epoch, info, about
end

-- The number of entries that the group has not read yet, and whether it is exact. Redis does not know this number while
-- a deleted entry is ahead of the group; in this case the number is an upper bound.
local function lag(info, about)
  if info['last-delivered-id'] == about['last-generated-id'] then return 0, true end
  if info.lag then return math.min(info.lag, about.length), true end
  local most = about.length
  if info['entries-read'] then most = math.min(most, about['entries-added'] - info['entries-read']) end
  return most, false
end

-- Converts an id to text that sorts in the order of ids. A Lua number would lose digits.
local function sortable(id)
  local ms, seq = id:match('^(%d+)-(%d+)$')
  return ('0'):rep(20 - #ms) .. ms .. '-' .. ('0'):rep(20 - #seq) .. seq
end

