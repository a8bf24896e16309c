-- Apply one change to a cart and its saved list, all of it or nothing, and tell the recorder.
--
-- KEYS[1]  cart:{p}:<owner>         hash    the cart
-- KEYS[2]  cart_saved:{p}:<owner>   hash    the saved list
-- KEYS[3]  cart_undo:{p}:<owner>    hash    undo token -> what that change took away
-- KEYS[4]  cart_op:{p}:<owner>:<h>  string  the answer to a client's keyed operation
-- KEYS[5]  cart_events:{p}          stream  one event an applied change
--
-- ARGV[1]  owner
-- ARGV[2]  operation id, made before the first attempt
-- ARGV[3]  fingerprint of a client's keyed operation; empty if the client sent no key
-- ARGV[4]  version that the cart must have; empty if any will do
-- ARGV[5]  version that the page was drawn from; empty if unknown
-- ARGV[6]  flags: c = an absent cart may be created, f = through a payment's lock and a frozen state
-- ARGV[7]  life of the cart in ms        ARGV[8]   life of the saved list in ms
-- ARGV[9]  most lines                    ARGV[10]  most units a line       ARGV[11]  most saved lines
-- ARGV[12] token to undo it with; empty if it shall not be undone
-- ARGV[13] reason, for the event
-- ARGV[14] JSON array of operations {op, ...}; a line is "<quantity> <price at add, minor units> <currency> <added at, us>"
--
-- Returns {'ok', flags (n = a line is new, r = replayed), undo token or '', warnings as JSON, the cart's fields flat}
-- or {'absent'} | {'reused'} | {'merged'} | {'frozen'} | {'locked', seconds} | {'version', version}
-- or {'refused', JSON array of {code, sku, ...}}: then nothing was changed.

local MARKS = {'@acks', '@notice', '@receipt', '@merges', '@question', '@codes', '@cleared', '@region'}

local function load(key)
  local flat, map = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

local function copy(map)
  local other = {}
  for k, v in pairs(map) do other[k] = v end
  return other
end

local function flatten(map)
  local flat = {}
  for k, v in pairs(map) do flat[#flat + 1] = k; flat[#flat + 1] = v end
  return flat
end

local function is_line(name) return string.sub(name, 1, 1) ~= '@' end
local function quantity(line) return line and tonumber(string.match(line, '^%d+')) or 0 end
local function with_quantity(line, n) return string.format('%d', n) .. string.match(line, '^%d+(.*)$') end

local function count(map)
  local n = 0
  for k in pairs(map) do if is_line(k) then n = n + 1 end end
  return n
end

if ARGV[3] ~= '' then
  local stored = redis.call('GET', KEYS[4])
  if stored then
    stored = cjson.decode(stored)
    if stored.fingerprint ~= ARGV[3] then return {'reused'} end
    return {'ok', stored.flags .. 'r', stored.undo, stored.warnings, stored.cart}
  end
end

local before = load(KEYS[1])
if not before['@version'] and not string.find(ARGV[6], 'c') then return {'absent'} end
local cart, saved_before = copy(before), load(KEYS[2])
local saved = copy(saved_before)

for id, flags, token in string.gmatch(cart['@ops'] or '', '(%S+)=(%a*),(%S*)') do
  if id == ARGV[2] then return {'ok', flags .. 'r', token, '[]', flatten(cart)} end
end

local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = string.format('%.0f', micros)

if cart['@state'] == 'merged' then return {'merged'} end
if not string.find(ARGV[6], 'f') then
  if cart['@state'] == 'frozen' then return {'frozen'} end
  if cart['@lock'] then
    local ends = tonumber(string.match(cart['@lock'], '%d+$'))
    if ends > micros then return {'locked', math.ceil((ends - micros) / 1000000)} end
    cart['@lock'] = nil
  end
end
if ARGV[4] ~= '' and ARGV[4] ~= (cart['@version'] or '0') then return {'version', cart['@version'] or '0'} end

local max_lines, max_quantity, max_saved = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local errors, warnings, flags = {}, {}, ''
local to_saved = {}
local is_answer = false  -- to what a merge had asked
local is_replayed = false
local has_moved = false  -- to another region, whose prices are others
local undone = ''  -- id of the merge that is undone by this

local function refuse(code, sku, more)
  local detail = more or {}
  detail.code, detail.sku = code, sku
  errors[#errors + 1] = detail
end

local function new_line(op, n)
  flags = 'n'
  return string.format('%d', n) .. ' ' .. (op.price or '-') .. ' ' .. (op.currency or '-') .. ' ' .. now
end

-- Sets the cart's line to n units, never below `least`. Lowering always works; above the stock it is refused, or
-- clamped to what is there if op.clamp; with nothing there what is in the cart stays.
local function put(op, n, least)
  local line = cart[op.sku]
  local held = quantity(line)
  if n <= 0 then cart[op.sku] = nil; return 0 end
  if op.buyable and n > op.buyable and (n > held or op.clamp) then
    local fits = math.max(op.buyable, least)
    if not op.clamp or (fits <= 0 and held == 0) then
      refuse('short', op.sku, {requested = n, buyable = op.buyable})
      return held
    end
    if fits <= 0 then fits = math.min(held, n) end
    if fits ~= n then
      warnings[#warnings + 1] = {code = 'clamped', sku = op.sku, requested = n, quantity = fits, buyable = op.buyable}
    end
    n = fits
  end
  if line then cart[op.sku] = with_quantity(line, n) else cart[op.sku] = new_line(op, n) end
  return n
end

local function has_merge(id)
  if not cart['@merges'] then return false end
  for _, merge in ipairs(cjson.decode(cart['@merges'])) do if merge.id == id then return true end end
  return false
end

local function remember(field, value, most)
  local list = cart[field] and cjson.decode(cart[field]) or {}
  list[#list + 1] = value
  while #list > most do table.remove(list, 1) end
  cart[field] = cjson.encode(list)
end

-- Discount codes are kept by id, in the order of entering. There are never more than `most`.
local function set_code(id, is_on, most)
  local kept, is_there = {}, false
  for _, other in ipairs(cart['@codes'] and cjson.decode(cart['@codes']) or {}) do
    if other == id then is_there = true end
    if other ~= id or is_on then kept[#kept + 1] = other end
  end
  if is_on and not is_there then
    if #kept >= most then refuse('code_not_combinable', ''); return end
    kept[#kept + 1] = id
  end
  cart['@codes'] = #kept > 0 and cjson.encode(kept) or nil
end

-- Chooses the region of the cart; without `is_chosen` only if it has none yet. Prices agreed to were of the other one.
local function set_region(code, is_chosen)
  if cart['@region'] == code or (cart['@region'] and not is_chosen) then return end
  has_moved = is_chosen and count(cart) > 0
  cart['@region'] = code
  if has_moved then
    cart['@acks'] = nil
    if cart['@notice'] ~= 'merged' then cart['@notice'] = 'currency' end
  end
end

-- Notice ids are kind:value:sku. Of a SKU's prices, and of what is left of it, only the last one acknowledged counts.
local function acknowledge(id)
  local kind, sku = string.match(id, '^([%a_]+):[^:]*:(.*)$')
  if kind == 'merged' then
    cart['@receipt'] = nil
    if cart['@notice'] == 'merged' then cart['@notice'] = nil end
  elseif kind == 'changed_elsewhere' then
    if cart['@notice'] == 'changed_elsewhere' then cart['@notice'] = nil end
  elseif kind == 'currency' then
    if cart['@notice'] == 'currency' then cart['@notice'] = nil end
  elseif kind == 'discontinued' then
    cart[sku] = nil
  elseif kind == 'code_off' and tonumber(sku) then
    set_code(tonumber(sku), false)
  elseif (kind == 'price_up' or kind == 'price_down' or kind == 'short') and cart[sku] then
    local kept = {}
    for _, other in ipairs(cart['@acks'] and cjson.decode(cart['@acks']) or {}) do
      local another, of = string.match(other, '^([%a_]+):[^:]*:(.*)$')
      if of ~= sku or (another == 'short') ~= (kind == 'short') then kept[#kept + 1] = other end
    end
    kept[#kept + 1] = id
    cart['@acks'] = cjson.encode(kept)
  end
end

local function undo(token)
  local stored = redis.call('HGET', KEYS[3], token)
  stored = stored and cjson.decode(stored)
  if not stored or micros - tonumber(stored.at) > 86400000000 then return 'undo_expired' end
  for sku, pair in pairs(stored.cart) do if (cart[sku] or false) ~= pair[2] then return 'undo_superseded' end end
  for sku, pair in pairs(stored.saved) do if (saved[sku] or false) ~= pair[2] then return 'undo_superseded' end end
  for sku, pair in pairs(stored.cart) do cart[sku] = pair[1] or nil end
  for sku, pair in pairs(stored.saved) do saved[sku] = pair[1] or nil end
  for sku, line in pairs(stored.to_saved or {}) do if not saved[sku] then saved[sku] = line end end
  for _, merge in ipairs(cart['@merges'] and cjson.decode(cart['@merges']) or {}) do
    if merge.undo == token then undone = merge.id end
  end
  if undone ~= '' and cart['@question'] and cjson.decode(cart['@question']).id == undone then
    cart['@question'] = nil
  end
  if stored.question then cart['@question'] = stored.question end
  cart['@receipt'] = nil
  if cart['@notice'] == 'merged' then cart['@notice'] = nil end
  return nil
end

local used_token
local keeps_undo = false  -- a change that takes nothing away can be undone only if it says so
for _, op in ipairs(cjson.decode(ARGV[14])) do
  local kind, sku = op.op, op.sku
  if kind == 'set' then
    put(op, op.quantity, 0)
  elseif kind == 'add' then
    local held = quantity(cart[sku])
    put(op, held + op.quantity, held)
  elseif kind == 'empty' then
    for name in pairs(copy(cart)) do if is_line(name) and not (op.keep and op.keep[name]) then cart[name] = nil end end
  elseif kind == 'save' then
    local held = quantity(cart[sku])
    if held == 0 then
      refuse('not_in_list', sku)
    else
      local moved = op.quantity > 0 and math.min(op.quantity, held) or held
      local sum = quantity(saved[sku]) + moved
      if sum > max_quantity then
        warnings[#warnings + 1] = {code = 'clamped', sku = sku, requested = sum, quantity = max_quantity}
      end
      saved[sku] = with_quantity(saved[sku] or cart[sku], math.min(sum, max_quantity))
      cart[sku] = moved < held and with_quantity(cart[sku], held - moved) or nil
    end
  elseif kind == 'unsave' then
    local there = quantity(saved[sku])
    if there == 0 then
      refuse('not_in_list', sku)
    else
      local wanted = op.quantity > 0 and math.min(op.quantity, there) or there
      local held, line = quantity(cart[sku]), saved[sku]
      if not cart[sku] then cart[sku] = with_quantity(line, 0) end
      local moved = put(op, held + wanted, held) - held
      if moved < wanted and moved <= 0 and #errors == 0 then
        refuse('short', sku, {requested = held + wanted, buyable = op.buyable})
      elseif held == 0 then
        flags = 'n'
      end
      saved[sku] = moved < there and with_quantity(line, there - moved) or nil
    end
  elseif kind == 'set_saved' then
    if op.quantity == 0 then saved[sku] = nil
    elseif saved[sku] then saved[sku] = with_quantity(saved[sku], op.quantity)
    else saved[sku] = new_line(op, op.quantity) end
  elseif kind == 'put' then
    cart[sku] = op.line
  elseif kind == 'put_saved' then
    saved[sku] = op.line
  elseif kind == 'ack' then
    acknowledge(op.id)
  elseif kind == 'code' then
    set_code(op.id, op.on, op.most)
  elseif kind == 'region' then
    set_region(op.code, op.is_chosen)
  elseif kind == 'undo' then
    local code = undo(op.token)
    if code then return {'refused', cjson.encode({{code = code, sku = ''}})} end
    used_token = op.token
  elseif kind == 'keep_undo' then
    keeps_undo = true
  elseif kind == 'merge' then
    if has_merge(op.id) then is_replayed = true; break end
    remember('@merges', {id = op.id, receipt = op.receipt, policy = op.policy, undo = ARGV[12]}, 5)
    to_saved = op.to_saved
    cart['@question'] = op.question
    is_answer = op.answers
    if op.tell then cart['@receipt'] = op.receipt; cart['@notice'] = 'merged' end
  elseif kind == 'order' then
    for _, number in ipairs(cart['@cleared'] and cjson.decode(cart['@cleared']) or {}) do
      if number == op.number then is_replayed = true end
    end
    if is_replayed then break end
    remember('@cleared', op.number, 20)
    cart['@lock'] = nil
    cart['@codes'] = nil
    for name, n in pairs(op.lines) do
      local left = quantity(cart[name]) - n
      if cart[name] then cart[name] = left > 0 and with_quantity(cart[name], left) or nil end
    end
  end
end
if is_replayed then return {'ok', 'r', '', '[]', flatten(before)} end

for name, line in pairs(cart) do
  local n = is_line(name) and quantity(line) or 0
  if n > max_quantity and n > quantity(before[name]) then
    refuse('quantity_too_large', name, {limit = max_quantity, requested = n})
  end
end
for name, line in pairs(saved) do
  if quantity(line) > max_quantity and quantity(line) > quantity(saved_before[name]) then
    refuse('quantity_too_large', name, {limit = max_quantity, requested = quantity(line)})
  end
end
if not string.find(ARGV[6], 'f') then
  if count(cart) > max_lines and count(cart) > count(before) then refuse('cart_full', '', {limit = max_lines}) end
  if not used_token and count(saved) > max_saved and count(saved) > count(saved_before) then
    refuse('saved_list_full', '', {limit = max_saved})
  end
end
if #errors > 0 then return {'refused', cjson.encode(errors)} end

-- What is different? What was acknowledged of a line leaves with it: it may come back at another price. That it is
-- short is forgotten once it fits.
local lines_changed, saved_changed, marks_changed = false, false, false
local took = {at = now, cart = {}, saved = {}, to_saved = to_saved, question = is_answer and before['@question'] or nil}
local takes = is_answer or keeps_undo or next(to_saved) ~= nil
local function compare(was, is, into, other)
  local changed = false
  for _, side in ipairs({was, is}) do
    for name in pairs(side) do
      if is_line(name) and was[name] ~= is[name] and not into[name] then
        changed = true
        into[name] = {was[name] or false, is[name] or false}
        if quantity(is[name]) < quantity(was[name]) then takes = true end
      end
    end
  end
  return changed
end
lines_changed = compare(before, cart, took.cart)
saved_changed = compare(saved_before, saved, took.saved)
if cart['@acks'] then
  local kept, all = {}, cjson.decode(cart['@acks'])
  for _, id in ipairs(all) do
    local kind, value, sku = string.match(id, '^([%a_]+):([^:]*):(.*)$')
    if cart[sku] and (kind ~= 'short' or quantity(cart[sku]) > (tonumber(value) or 0)) then kept[#kept + 1] = id end
  end
  if #kept == 0 then cart['@acks'] = nil elseif #kept < #all then cart['@acks'] = cjson.encode(kept) end
end
if ARGV[5] ~= '' and lines_changed and tonumber(ARGV[5]) < tonumber(before['@content_version'] or '0') and not cart['@notice'] then
  cart['@notice'] = 'changed_elsewhere'
end
for _, mark in ipairs(MARKS) do
  if cart[mark] ~= before[mark] then marks_changed = true end
end

local token = ''
if lines_changed or saved_changed or marks_changed then
  local version = string.format('%.0f', math.max(tonumber(before['@version'] or '0') + 1, micros))
  cart['@version'] = version
  if lines_changed or has_moved or not cart['@content_version'] then cart['@content_version'] = version end
  cart['@last_activity_at'] = now
  local n = count(saved)
  cart['@saved_count'] = n > 0 and string.format('%d', n) or nil
  if ARGV[12] ~= '' and takes then token = ARGV[12] end
  local ops = {}
  for entry in string.gmatch(cart['@ops'] or '', '%S+') do ops[#ops + 1] = entry end
  ops[#ops + 1] = ARGV[2] .. '=' .. flags .. ',' .. token
  while #ops > 4 do table.remove(ops, 1) end
  cart['@ops'] = table.concat(ops, ' ')

  local function write(key, was, is)
    local set, drop = {}, {}
    for k, v in pairs(is) do if was[k] ~= v then set[#set + 1] = k; set[#set + 1] = v end end
    for k in pairs(was) do if is[k] == nil then drop[#drop + 1] = k end end
    if #drop > 0 then redis.call('HDEL', key, unpack(drop)) end
    if #set > 0 then redis.call('HSET', key, unpack(set)) end
  end
  write(KEYS[1], before, cart)
  write(KEYS[2], saved_before, saved)
  if used_token then redis.call('HDEL', KEYS[3], used_token) end
  if token ~= '' then
    if next(to_saved) then took.saved = {} end  -- a merge's undo keeps what the guest had saved for later
    redis.call('HSET', KEYS[3], token, cjson.encode(took))
    local kept = load(KEYS[3])
    while count(kept) > 5 do
      local oldest, at
      for name, entry in pairs(kept) do
        local written = tonumber(cjson.decode(entry).at)
        if not at or written < at then oldest, at = name, written end
      end
      kept[oldest] = nil
      redis.call('HDEL', KEYS[3], oldest)
    end
    redis.call('PEXPIRE', KEYS[3], 86400000)
  end

  local lines, marks = {}, {}
  for name, value in pairs(cart) do if is_line(name) then lines[name] = value end end
  for _, mark in ipairs(MARKS) do marks[mark] = cart[mark] end
  redis.call('XADD', KEYS[5], '*', 'owner', ARGV[1], 'version', version, 'reason', ARGV[13], 'undone', undone, 'snapshot', cjson.encode({
    lines = lines, saved = saved, marks = marks, state = cart['@state'] or 'active',
    content_version = cart['@content_version'], last_activity_at = now,
  }))
end
if cart['@version'] then
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[8])
end
local told, flat = #warnings > 0 and cjson.encode(warnings) or '[]', flatten(cart)
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[4], cjson.encode({
    fingerprint = ARGV[3], flags = flags, undo = token, warnings = told, cart = flat,
  }), 'PX', 3600000)
end
return {'ok', flags, token, told, flat}
