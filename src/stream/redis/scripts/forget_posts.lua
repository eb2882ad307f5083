-- KEYS: a stream. ARGV[1] and [2]: the range, [3]: a page, then the posts to forget.
-- Answers the last id seen, or '' at the end.
local wanted = {}
for i = 4, #ARGV do wanted[ARGV[i]] = true end
local page = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for _, entry in ipairs(page) do
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'post_id' then
      if wanted[fields[i + 1]] then redis.call('XDEL', KEYS[1], entry[1]) end
      break
    end
  end
end
return #page > 0 and page[#page][1] or ''
