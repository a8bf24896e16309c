-- End a merge: of the guest's cart only a tombstone with the receipt remains, and the recorder is told.
--
-- KEYS[1]  cart:{p}:<owner>         hash    the guest's cart
-- KEYS[2]  cart_saved:{p}:<owner>   hash    the guest's saved list
-- KEYS[3]  cart_undo:{p}:<owner>    hash    what could be undone in it
-- KEYS[4]  cart_events:{p}          stream  one event an applied change
--
-- ARGV[1]  owner
-- ARGV[2]  id of the merge
-- ARGV[3]  receipt, JSON
-- ARGV[4]  life of the tombstone in ms
--
-- Returns 1 if it was done, 0 if it had been done before or another merge's tombstone stands.

local held = redis.call('HMGET', KEYS[1], '@version', '@state', '@merged_into', '@merge_id')
if held[2] ~= 'frozen' or held[4] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local version = string.format('%.0f', math.max(tonumber(held[1]) + 1, now))
now = string.format('%.0f', now)
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], '@version', version, '@content_version', version, '@last_activity_at', now,
  '@state', 'merged', '@merged_into', held[3], '@merge_id', ARGV[2], '@receipt', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('XADD', KEYS[4], '*', 'owner', ARGV[1], 'version', version, 'reason', 'merged', 'snapshot', cjson.encode({
  lines = {}, saved = {}, state = 'merged', content_version = version, last_activity_at = now,
  marks = {['@merged_into'] = held[3], ['@merge_id'] = ARGV[2], ['@receipt'] = ARGV[3]},
}))
return 1
