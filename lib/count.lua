-- KEYS: the users there; what was told last, while it is too early to tell again. ARGV: period; how
-- many users at most, 0: their number is told; then the tale.
local n = redis.call('HLEN', KEYS[1])
local told = redis.call('GET', KEYS[2])
if told and ARGV[2] == '0' and tonumber(told) == n then return 0 end
if told then
  local ms = redis.call('PTTL', KEYS[2])
  return ms > 0 and ms or 1
end
redis.call('SET', KEYS[2], n, 'PX', ARGV[1])
local list, most = tostring(n), tonumber(ARGV[2])
if most > 0 then
  local users = redis.call('HKEYS', KEYS[1])
  table.sort(users)
  list = #users > 0 and
    '["' .. table.concat(users, '","', 1, math.min(most, #users)) .. '"]' or '[]'
end
for i = 4, 3 * ARGV[3] + 3, 3 do
  tell(ARGV[i], ARGV[i + 1] .. list .. ARGV[i + 2])
end
return 0
