-- KEYS: the room's members; where it stood when each became one; its history; then, for each copy
-- below that is kept, its room's history and epoch. ARGV: add, role or remove; user; role; role of new
-- members; the control channel and what is told there of a change, and of a new member; how many
-- copies of events there are for added, changed and removed; now; then for each copy the channel, the
-- text without its brace, how many events its room keeps, or 0, and for how long.
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
  local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
  if newest then redis.call('HSET', KEYS[2], user, newest[1]) end
  change = 1
elseif role == '' or role == has then
  return 4
else
  redis.call('HSET', KEYS[1], user, role)
  change = 2
end
if change > 1 then tell(ARGV[5], ARGV[6]) end
local at, key = 12, 4
for told = 1, 3 do
  for _ = 1, ARGV[7 + told] do
    local channel, text, length, age = unpack(ARGV, at, at + 3)
    if told == change and length == '0' then
      tell(channel, '{' .. text)
    elseif told == change then
      append(KEYS[key], KEYS[key + 1], text, length, age, ARGV[11], channel)
    end
    at = at + 4
    if length ~= '0' then key = key + 2 end
  end
end
-- Last: one who is in the room by this hears of it by another room, which must not be left out.
if change == 1 then tell(ARGV[5], ARGV[7]) end
return change
