-- Lock a cart for its payment, or extend the lock of the same checkout.
--
-- KEYS[1]  cart:{p}:<owner>  hash  the cart
--
-- ARGV[1]  checkout id
-- ARGV[2]  how long, in seconds
--
-- Returns 'ok' | 'absent' | 'locked' (by another checkout).

local held = redis.call('HMGET', KEYS[1], '@version', '@lock')
if not held[1] then return 'absent' end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if held[2] then
  local checkout, ends = string.match(held[2], '^(%S+) (%d+)$')
  if checkout ~= ARGV[1] and tonumber(ends) > now then return 'locked' end
end
redis.call('HSET', KEYS[1], '@lock', ARGV[1] .. ' ' .. string.format('%.0f', now + ARGV[2] * 1000000))
return 'ok'
