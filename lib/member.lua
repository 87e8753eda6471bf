-- KEYS: the room's members; where it stood when each became one; its history. ARGV: add, role or
-- remove; user; role; role of new members; the control channel and what is told there of a change,
-- and of a new member; how many copies of events there are for added, changed and removed; then a
-- channel and a text for each.
local op, user, role = ARGV[1], ARGV[2], ARGV[3]
local has = redis.call('HGET', KEYS[1], user)
local change
if op == 'remove' then
  if not has then return 0 end
  redis.call('HDEL', KEYS[1], user)
  redis.call('HDEL', KEYS[2], user)
  change = 3
elseif not has then
  if op == 'role' then return 0 end
  redis.call('HSET', KEYS[1], user, role == '' and ARGV[4] or role)
  local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
  if last then redis.call('HSET', KEYS[2], user, last[1]) end
  change = 1
elseif role == '' or role == has then
  return 4
else
  redis.call('HSET', KEYS[1], user, role)
  change = 2
end
if change > 1 then tell(ARGV[5], ARGV[6]) end
local at = 11
for i = 1, change - 1 do at = at + 2 * ARGV[7 + i] end
for i = at, at + 2 * ARGV[7 + change] - 1, 2 do
  tell(ARGV[i], ARGV[i + 1])
end
-- Last: one who is in the room by this hears of it by another room, which must not be left out.
if change == 1 then tell(ARGV[5], ARGV[7]) end
return change
