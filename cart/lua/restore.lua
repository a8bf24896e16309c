-- Put back a cart and its saved list from its record, unless what is there is as new or newer.
--
-- KEYS[1]  cart:{p}:<owner>         hash    the cart
-- KEYS[2]  cart_saved:{p}:<owner>   hash    the saved list
-- KEYS[3]  cart_asked:{p}:<owner>   string  who is asking PostgreSQL
--
-- ARGV[1]  version of the record
-- ARGV[2]  life of the cart in ms    ARGV[3]  life of the saved list in ms
-- ARGV[4]  JSON object of the cart's fields    ARGV[5]  JSON object of the saved list's fields
--
-- Returns 1 if it was restored, 0 if what is there stays.

local held = tonumber(redis.call('HGET', KEYS[1], '@version') or '0')
redis.call('DEL', KEYS[3])
if held >= tonumber(ARGV[1]) then return 0 end

local function write(key, fields, life)
  redis.call('DEL', key)
  local flat = {}
  for name, value in pairs(cjson.decode(fields)) do flat[#flat + 1] = name; flat[#flat + 1] = value end
  if #flat > 0 then
    redis.call('HSET', key, unpack(flat))
    redis.call('PEXPIRE', key, life)
  end
end

write(KEYS[1], ARGV[4], ARGV[2])
write(KEYS[2], ARGV[5], ARGV[3])
return 1
