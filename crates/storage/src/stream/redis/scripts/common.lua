-- Functions that all scripts use.

-- Converts the reply of XINFO, a flat list of names and values, to a table. A null value becomes false.
local function map(flat)
  local named = {}
  for i = 1, #flat, 2 do named[flat[i]] = flat[i + 1] end
  return named
end

-- The id of the post in the fields of an entry, or ''.
local function post_of(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'post_id' then return fields[i + 1] end
  end
  return ''
end

-- An index is a sorted set with one member per entry of its stream: the id of the post, a zero byte, and the id of the
-- entry.
local function member(fields, id)
  return post_of(fields) .. '\0' .. id
end

-- Returns the used bytes as maxmemory counts them, maxmemory (0: no limit), and the number of bytes above which appends
-- are refused. If the user may not run INFO, no limit applies.
local function memory()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return 0, 0, 0 end
  local function field(name) return tonumber(info:match('\n' .. name .. ':(%d+)')) or 0 end
  local max = field('maxmemory')
  -- With an eviction policy, Redis first evicts keys, and is full only when it cannot evict any more keys.
  local share = info:match('\nmaxmemory_policy:([%w-]+)') == 'noeviction' and 0.8 or 1
  return math.max(0, field('used_memory') - field('mem_not_counted_for_evict')), max, math.floor(max * share)
end

-- Returns how many of its oldest entries a stream must lose so that it uses at most `most` bytes and at most a fifth of
-- maxmemory. At least one entry remains.
local function surplus(stream, most)
  local _, max = memory()
  if max > 0 then most = math.min(most, max / 5) end
  local bytes = redis.pcall('MEMORY', 'USAGE', stream, 'SAMPLES', 100)
  if type(bytes) ~= 'number' or bytes <= most then return 0 end
  local length = redis.call('XLEN', stream)
  return math.min(length - 1, 1000, math.ceil(length * (bytes - 0.9 * most) / bytes))
end

-- Removes the oldest entries of a stream, and their members of its index.
local function drop_oldest(stream, index, count)
  if count <= 0 then return 0 end
  local page = redis.call('XRANGE', stream, '-', '+', 'COUNT', count)
  for _, entry in ipairs(page) do redis.call('ZREM', index, member(entry[2], entry[1])) end
  return redis.call('XTRIM', stream, 'MAXLEN', '=', redis.call('XLEN', stream) - #page)
end

