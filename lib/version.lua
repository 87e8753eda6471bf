-- The version that an event gives its entity, or nil when it was based on another than the current;
-- '' when it has none. Of a merge, no field that it changes may have been changed since.
local function next_version(entity, current, mode, expect, conflict, fields)
    local stale = expect ~= '' and current and tonumber(expect) ~= current
    if stale and conflict == 'merge' and tonumber(expect) < current then
        stale = #fields == 0
        for _, field in ipairs(fields) do
            local version = redis.call('HGET', entity, 'field:' .. field)
            stale = stale or version and tonumber(version) > tonumber(expect)
        end
    end
    if stale and conflict ~= 'last' then
        return nil
    elseif mode == 'start' then
        return 0
    elseif mode == 'next' then
        return (current or tonumber(expect) or 0) + 1
    end
    return current or tonumber(expect) or ''
end
