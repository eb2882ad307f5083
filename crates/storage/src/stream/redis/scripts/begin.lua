-- Creates missing parts of the stream, its group and its counters. ARGV[4]: the id of a new epoch. Returns the epoch,
-- and what was created: 'nothing', 'group' or 'epoch'.
local epoch, seen = unpack(redis.call('HMGET', books, 'epoch', 'seen'))
local was_there = redis.call('EXISTS', stream) == 1
local info = about_group()
local made = info and 'nothing' or 'group'
if not info then
  -- The group starts at the beginning of the stream. It also reads entries that the lost group had settled; the store
  -- recognises these as settled.
  redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  info = about_group()
end
local about = about_stream()
if epoch and was_there and not is_replaced(epoch, seen, about) then return { epoch, made } end

-- The new counters include the entries that the group has not settled. Entries that left the stream earlier are not
-- included.
local open = lag(info, about) + info.pending
redis.call('DEL', books, done)
redis.call('HSET', books, 'epoch', ARGV[4], 'base', about['entries-added'] - open, 'seen', about['entries-added'],
  'dead_lettered', 0, 'lost', 0)
return { ARGV[4], 'epoch' }
