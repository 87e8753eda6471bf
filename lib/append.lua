-- Keeps an event in its room's history and publishes it. The epoch is that of the server that
-- writes: another one, which may not have all that was kept, begins its own. So does a history that
-- was gone: no id is ever given twice.
local epoch = redis.call('GET', epochs)
local id = epoch and redis.pcall('XADD', history, epoch .. '-*', 'e', text, 't', now)
local gone = type(id) == 'string' and string.sub(id, -2) == '-0'
if gone then
    redis.call('DEL', history)
end
if gone or type(id) ~= 'string' then
    local last = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
    local time = redis.call('TIME')
    local begun = math.max(time[1] * 1000 + math.floor(time[2] / 1000), (epoch or 0) + 1)
    if last then
        begun = math.max(begun, string.match(last[1], '%d+') + 1)
    end
    epoch = string.format('%.0f', begun)
    redis.call('SET', epochs, epoch)
    -- A replica that took over, or what was read from a snapshot, may lack what came last.
    local info = redis.pcall('INFO')
    local whole = type(info) == 'string' and string.find(info, 'aof_enabled:1', 1, true)
        and string.find(info, 'master_replid2:0000000000', 1, true)
    id = redis.call('XADD', history, epoch .. '-*', 'e', text, 't', now, 'w', whole and '1' or '0')
end
redis.call('PEXPIRE', history, age)
if string.byte(id, -1) == 48 then
    redis.call('PEXPIRE', epochs, 20 * age)
    redis.call('XTRIM', history, 'MAXLEN', length)
    local oldest = redis.call('XRANGE', history, '-', '+', 'COUNT', 1)[1]
    if oldest and tonumber(oldest[2][4]) < now - age then
        for _, entry in ipairs(redis.call('XRANGE', history, '-', '+', 'COUNT', 20)) do
            oldest = entry
            if tonumber(entry[2][4]) >= now - age then
                break
            end
        end
        redis.call('XTRIM', history, 'MINID', oldest[1])
    end
end
tell(channel, '{"id":"' .. id .. '",' .. text)
return id
