-- ARGV[4]: an id, [5]: the size of a page. Returns the number of entries after the id, at most a page, and the last of
-- them.
local page = redis.call('XRANGE', stream, '(' .. ARGV[4], '+', 'COUNT', ARGV[5])
if #page == 0 then return { 0, ARGV[4] } end
return { #page, page[#page][1] }
