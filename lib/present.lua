-- KEYS: the users there. ARGV: enter or leave; owner; user; the letter of the place; room; crowd; 1
-- if a list of users is told; the channel for tools; then the tale. Who is told how many there are
-- counts the one who leaves.
local enter, owner, user = ARGV[1] == 'enter', ARGV[2], ARGV[3]
local has = redis.call('HGET', KEYS[1], user)
if enter then
  if has then
    if not (' ' .. has .. ' '):find(' ' .. owner .. ' ', 1, true) then
      redis.call('HSET', KEYS[1], user, has .. ' ' .. owner)
    end
    return {0, redis.call('HLEN', KEYS[1])}
  end
  redis.call('HSET', KEYS[1], user, owner)
else
  if not has then return {0, redis.call('HLEN', KEYS[1])} end
  local others = {}
  for o in has:gmatch('%S+') do
    if o ~= owner then others[#others + 1] = o end
  end
  if #others > 0 then
    redis.call('HSET', KEYS[1], user, table.concat(others, ' '))
    return {0, redis.call('HLEN', KEYS[1])}
  end
  redis.call('HDEL', KEYS[1], user)
end
local n = redis.call('HLEN', KEYS[1])
local function announce(what, who)
  tell(ARGV[8], '{"type":"' .. what .. '","room":"' .. ARGV[5] ..
    '"' .. who .. ',"count":' .. n .. '}')
end
local room = ARGV[4] == 'r'
if room and enter and n == 1 then announce('occupied', '') end
announce((room and '' or 'view-') .. (enter and 'join' or 'leave'),
  ',"user":"' .. user .. '"')
if room and n == 0 then announce('vacated', '') end
if n + (enter and 0 or 1) > tonumber(ARGV[6]) then return {1, n} end
local list = ''
if ARGV[7] == '1' then
  local users = redis.call('HKEYS', KEYS[1])
  table.sort(users)
  list = #users > 0 and '["' .. table.concat(users, '","') .. '"]' or '[]'
end
for i = 10, 7 + 3 * ARGV[9] + 2, 3 do
  tell(ARGV[i], ARGV[i + 1] .. list .. ARGV[i + 2])
end
return {1, n}
