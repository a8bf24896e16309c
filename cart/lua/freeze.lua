-- Begin to merge a guest's cart into a customer's: from here on it is read, not written, and for this customer only.
--
-- KEYS[1]  cart:{p}:<owner>         hash  the guest's cart
-- KEYS[2]  cart_saved:{p}:<owner>   hash  the guest's saved list
--
-- ARGV[1]  owner of the target cart, such as u:42
-- ARGV[2]  id of this merge; an earlier one of the same customer wins
-- ARGV[3]  policy of this merge; the earlier one's wins
--
-- Returns {'frozen', merge id, policy, cart's fields flat, saved fields flat} | {'merged', merge id, receipt as JSON}
-- | {'absent'} | {'other'} (another customer's) | {'locked', seconds}.

local held = redis.call('HMGET', KEYS[1], '@version', '@state', '@merged_into', '@merge_id', '@receipt', '@lock', '@policy')
if not held[1] then return {'absent'} end
local state, into = held[2], held[3]
if into and into ~= ARGV[1] then return {'other'} end
if state == 'merged' then return {'merged', held[4], held[5] or '[]'} end
if state ~= 'frozen' then
  if held[6] then
    local time = redis.call('TIME')
    local left = tonumber(string.match(held[6], '%d+$')) - (time[1] * 1000000 + time[2])
    if left > 0 then return {'locked', math.ceil(left / 1000000)} end
  end
  redis.call('HSET', KEYS[1], '@state', 'frozen', '@merged_into', ARGV[1], '@merge_id', ARGV[2], '@policy', ARGV[3])
  held[4], held[7] = ARGV[2], ARGV[3]
end
return {'frozen', held[4], held[7], redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
