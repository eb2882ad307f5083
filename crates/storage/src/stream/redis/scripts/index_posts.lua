-- KEYS: a stream and its index. ARGV[1]: the start of the range, [2]: the size of a page. Adds a page of the stream to
-- its index. The call for the first page ('-') first deletes the index. Returns the last id of the page, or '' at the
-- end.
local stream, index = KEYS[1], KEYS[2]
if ARGV[1] == '-' then redis.call('DEL', index) end
local page = redis.call('XRANGE', stream, ARGV[1], '+', 'COUNT', ARGV[2])
for _, entry in ipairs(page) do redis.call('ZADD', index, 0, member(entry[2], entry[1])) end
return #page > 0 and page[#page][1] or ''
