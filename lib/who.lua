-- KEYS: the users there. ARGV: how many at most.
local n = redis.call('HLEN', KEYS[1])
if n > tonumber(ARGV[1]) then return {n} end
return {n, redis.call('HGETALL', KEYS[1])}
