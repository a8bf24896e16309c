-- Take the lock of a payment off a cart; another checkout's stays.
--
-- KEYS[1]  cart:{p}:<owner>  hash  the cart
--
-- ARGV[1]  checkout id
--
-- Returns 1 if a lock was taken off, 0 if this checkout held none.

local held = redis.call('HGET', KEYS[1], '@lock')
if not held or string.match(held, '^%S+') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], '@lock')
