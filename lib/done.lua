-- What step.lua kept is published. KEYS: the entity; with a key, what is remembered of it. ARGV:
-- version; mode; how long the key is remembered; the text in the first room; the id in each room.
local doing = redis.call('HGET', KEYS[1], 'doing')
if not doing or cmsgpack.unpack(doing)[2] ~= ARGV[1] then
    return 0
end
if KEYS[2] then
    local answer = {'again', ARGV[1], unpack(ARGV, 5)}
    redis.call('SET', KEYS[2], cjson.encode(answer), 'PX', ARGV[3])
end
redis.call('HDEL', KEYS[1], 'doing')
if ARGV[2] == 'end' then
    redis.call('DEL', KEYS[1])
elseif ARGV[5] ~= '' and ARGV[1] ~= '' then
    redis.call('HSET', KEYS[1], 'version', ARGV[1], 'id', ARGV[5], 'text', ARGV[4])
end
return 1
