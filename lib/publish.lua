-- Publishes an event to all its rooms, or to none: once for each key, and by its entity's version.
local now, ttl, mode, expect, conflict, changed = unpack(ARGV, 1, 6)
local at, rooms = 1, 7 + changed

local key
if ttl ~= '' then
    key, at = KEYS[at], at + 1
    local before = redis.call('GET', key)
    if before then
        return cjson.decode(before)
    end
end

local entity
local version = ''
if mode ~= '' then
    entity, at = KEYS[at], at + 1
    local is = redis.call('HMGET', entity, 'version', 'history', 'id')
    local fields = {unpack(ARGV, 7, 6 + changed)}
    version = next_version(entity, tonumber(is[1]), mode, expect, conflict, fields)
    if not version then
        local event = is[2] and redis.call('XRANGE', is[2], is[3], is[3])[1]
        return {'conflict', is[1], is[3] or '', event and event[2][2] or ''}
    end
    if mode == 'start' then
        redis.call('DEL', entity)
    end
end

local answer = {'done', tostring(version)}
for i = rooms, #ARGV, 5 do
    local channel, head, tail, length, age = unpack(ARGV, i, i + 4)
    local text = head .. (version ~= '' and ',"version":' .. version or '') .. tail
    local id = ''
    if length == '0' then
        tell(channel, '{' .. text)
    else
        id = append(KEYS[at], KEYS[at + 1], text, length, age, now, channel)
        if entity and version ~= '' and i == rooms then
            redis.call('HSET', entity, 'version', version, 'history', KEYS[at], 'id', id)
        end
        at = at + 2
    end
    answer[#answer + 1] = id
end

if mode == 'end' then
    redis.call('DEL', entity)
elseif mode == 'next' or mode == 'start' then
    redis.call('HSET', entity, 'version', version)
    for i = 7, 6 + changed do
        redis.call('HSET', entity, 'field:' .. ARGV[i], version)
    end
end
if key then
    answer[1] = 'again'
    redis.call('SET', key, cjson.encode(answer), 'PX', ttl)
    answer[1] = 'done'
end
return answer
