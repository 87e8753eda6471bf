-- KEYS: the user's connections. ARGV: connection; its status, empty: it is gone; since when; the
-- channel for tools; user; how many copies there are for online, for away and for offline; then a
-- channel and a text for each.
local function state()
  local s = 'offline'
  for _, v in ipairs(redis.call('HVALS', KEYS[1])) do
    local one = v:match('^%a+')
    if one == 'online' then return one end
    if one == 'away' then s = one end
  end
  return s
end
local before = state()
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
end
local after = state()
if before == after then return 0 end
tell(ARGV[4], '{"type":"' .. after .. '","user":"' .. ARGV[5] ..
  '"}')
local which = ({online = 1, away = 2, offline = 3})[after]
local at = 9
for i = 1, which - 1 do at = at + 2 * ARGV[5 + i] end
for i = at, at + 2 * ARGV[5 + which] - 1, 2 do
  tell(ARGV[i], ARGV[i + 1])
end
return 1
