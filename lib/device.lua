-- Notes how far a user's device has come, and never takes it back. KEYS: the user's devices, a hash
-- of which a field DEVICE has when it was last heard of (ms), and a field DEVICE ROOM a place.
-- ARGV: device; now; how long all of it lasts (ms); how many devices are kept; then a room and a
-- place, EPOCH-SEQ, or nothing to forget it, for each.
local devices, device, now, ttl, most = KEYS[1], unpack(ARGV, 1, 4)

-- Of more than are kept, those that were not heard of for the longest time go.
local function make_room()
  local seen, fields = {}, redis.call('HGETALL', devices)
  for i = 1, #fields, 2 do
    if not string.find(fields[i], ' ', 1, true) then
      seen[#seen + 1] = {name = fields[i], at = tonumber(fields[i + 1])}
    end
  end
  table.sort(seen, function(a, b) return a.at > b.at end)
  for n, one in ipairs(seen) do
    if n >= tonumber(most) or one.at < now - ttl then
      for i = 1, #fields, 2 do
        if fields[i] == one.name or string.sub(fields[i], 1, #one.name + 1) == one.name .. ' ' then
          redis.call('HDEL', devices, fields[i])
        end
      end
    end
  end
end

local function is_after(a, b)
  local epoch, seq = string.match(a, '(%d+)-(%d+)')
  local old_epoch, old_seq = string.match(b, '(%d+)-(%d+)')
  epoch, old_epoch = tonumber(epoch), tonumber(old_epoch)
  return epoch > old_epoch or (epoch == old_epoch and tonumber(seq) > tonumber(old_seq))
end

if not redis.call('HGET', devices, device) then make_room() end
redis.call('HSET', devices, device, now)
for i = 5, #ARGV, 2 do
  local field, place = device .. ' ' .. ARGV[i], ARGV[i + 1]
  local before = redis.call('HGET', devices, field)
  if place == '' then
    redis.call('HDEL', devices, field)
  elseif not before or is_after(place, before) then
    redis.call('HSET', devices, field, place)
  end
end
redis.call('PEXPIRE', devices, ttl)
return 1
