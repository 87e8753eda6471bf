-- On a cluster, gives an event the version of its entity; what is to be published by that is kept
-- here until it is done (done.lua), and handed to whoever comes meanwhile, who does it first.
-- KEYS: the entity; with a key, what was published under it. ARGV: how long the key is remembered,
-- or empty; mode; expected version; conflict; how many fields, and these; then for each room five
-- words, which are handed back.
local ttl, mode, expect, conflict, changed = unpack(ARGV, 1, 5)
local before = KEYS[2] and redis.call('GET', KEYS[2])
if before then
    return cjson.decode(before)
end
local is = redis.call('HMGET', KEYS[1], 'version', 'id', 'text', 'doing')
if is[4] then
    return cmsgpack.unpack(is[4])
end
local fields = {unpack(ARGV, 6, 5 + changed)}
local version = next_version(KEYS[1], tonumber(is[1]), mode, expect, conflict, fields)
if not version then
    return {'conflict', is[1], is[2] or '', is[3] or ''}
end
local work = {'other', tostring(version), mode, KEYS[2] or '', ttl, unpack(ARGV, 6 + changed)}
if mode == 'start' then
    redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'doing', cmsgpack.pack(work))
if mode == 'start' or mode == 'next' then
    redis.call('HSET', KEYS[1], 'version', version)
    for _, field in ipairs(fields) do
        redis.call('HSET', KEYS[1], 'field:' .. field, version)
    end
end
work[1] = 'own'
return work
