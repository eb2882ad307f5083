-- ARGV[4]: an id, [5]: the size of a page. Reads a page of the entries after the id. Returns their number and the id of
-- the last one.
local page = redis.call('XRANGE', stream, '(' .. ARGV[4], '+', 'COUNT', ARGV[5])
if #page == 0 then return { 0, ARGV[4] } end
return { #page, page[#page][1] }
