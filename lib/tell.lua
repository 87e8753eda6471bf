-- Publishes. On a cluster the channel is given as it is called without one, and before it stands the
-- tag of the script's slot; or a -, when it is of another: then it is the caller's to publish.
local left = {}
local function tell(channel, text)
    local first = string.byte(channel)
    if first == 45 then
        left[#left + 1] = string.sub(channel, 3)
        left[#left + 1] = text
    elseif first > 57 then
        redis.call('PUBLISH', channel, text)
    else
        local tag, name = string.match(channel, '^(%d+) (.*)$')
        local room = string.match(name, '^collab:room:(.*)$')
        if room then
            redis.call('SPUBLISH', 'collab:room:{' .. room .. '}', text)
        end
        redis.call('SPUBLISH', 'collab:slot:{' .. tag .. '}', name .. ' ' .. text)
    end
end
