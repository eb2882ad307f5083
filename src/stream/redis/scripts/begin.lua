-- Makes what is missing of the stream, its group and its books. ARGV[4]: the id of a new epoch.
-- Answers the epoch, and what was made: 'nothing', 'group' or 'epoch'.
local epoch, seen = unpack(redis.call('HMGET', books, 'epoch', 'seen'))
local was_there = redis.call('EXISTS', stream) == 1
local info = about_group()
local made = info and 'nothing' or 'group'
if not info then
  -- From the start: what the group had settled is read again, and its settlement is known.
  redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  info = about_group()
end
local about = about_stream()
if epoch and was_there and not is_replaced(epoch, seen, about) then return { epoch, made } end

-- The new books count what the group has before it; what left the stream earlier is not theirs.
local open = lag(info, about) + info.pending
redis.call('DEL', books, done)
redis.call('HSET', books, 'epoch', ARGV[4], 'base', about['entries-added'] - open, 'seen', about['entries-added'],
  'dead_lettered', 0, 'lost', 0)
return { ARGV[4], 'epoch' }
