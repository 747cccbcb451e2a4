/**
 * The Lua scripts of the Redis registry: each is one step for everybody. Times are the server's, in milliseconds; numbers
 * travel as text, because Redis cuts those that Lua returns to integers. REGISTRY.md describes the keys.
 */

/** Sets `now`. */
export const now = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/** Defines `whole`, which writes a number without an exponent. */
export const whole = `
local function whole(number) return string.format('%.0f', number) end`;

/** Sets `epoch` to what a key holds. */
export function epochOf(key: string): string {
  return `
local epoch = tonumber(redis.call('GET', ${key}) or '0')
if epoch == nil then return redis.error_reply('WRONGTYPE ' .. ${key} .. ' holds no number') end`;
}

/** Moves pointers from the epoch to a new one, `moved`: table, generation, and source or empty of each from the `first` argument on. A source that is left out stays. */
export function movePointersTo({ epoch, pointers, channel, first }: { epoch: string; pointers: string; channel: string; first: number }): string {
  return `
moved = math.max(epoch + 1, now)
for i = ${first}, #ARGV, 3 do
  local source = ARGV[i + 2] ~= '' and ' ' .. ARGV[i + 2] or string.match(redis.call('HGET', ${pointers}, ARGV[i]) or '', '^%d+ %S+( .*)$') or ''
  redis.call('HSET', ${pointers}, ARGV[i], whole(moved) .. ' ' .. ARGV[i + 1] .. source)
end
redis.call('SET', ${epoch}, whole(moved))
redis.call('PUBLISH', ${channel}, 'pointers')`;
}

/** controllers, epoch, tickets' counter | most -> the time, the epoch, the counter, and fields and values. */
export const readControllers = `${now}${whole}
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then return redis.error_reply('TOOMANY ' .. KEYS[1]) end
return {whole(now), redis.call('GET', KEYS[2]) or '0', redis.call('GET', KEYS[3]) or '0', redis.call('HGETALL', KEYS[1])}`;

/** controllers, channel | id, ttl, record: lists it, and drops those whose time is over. */
export const announce = `${now}${whole}
local changed = false
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local ends = tonumber(string.match(entries[i + 1], '^(%d+) '))
  if ends and ends <= now then
    redis.call('HDEL', KEYS[1], entries[i])
    changed = true
  end
end
local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before or string.match(before, '^%d+ (.*)$') ~= ARGV[3] then changed = true end
redis.call('HSET', KEYS[1], ARGV[1], whole(now + ARGV[2]) .. ' ' .. ARGV[3])
if changed then redis.call('PUBLISH', KEYS[2], 'controllers') end
return ''`;

/** controllers, channel | id. */
export const withdraw = `
if redis.call('HDEL', KEYS[1], ARGV[1]) > 0 then redis.call('PUBLISH', KEYS[2], 'controllers') end
return ''`;

/** nodes | id, ttl, record: lists it, and drops those whose time is over. */
export const announceNode = `${now}${whole}
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local ends = tonumber(string.match(entries[i + 1], '^(%d+) '))
  if ends and ends <= now then redis.call('HDEL', KEYS[1], entries[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], whole(now + ARGV[2]) .. ' ' .. ARGV[3])
return ''`;

/** nodes | id. */
export const withdrawNode = `
redis.call('HDEL', KEYS[1], ARGV[1])
return ''`;

/** nodes | most -> the time, and fields and values. */
export const readNodes = `${now}${whole}
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then return redis.error_reply('TOOMANY ' .. KEYS[1]) end
return {whole(now), redis.call('HGETALL', KEYS[1])}`;

/** epoch, pointers | most -> the epoch, and fields and values. */
export const readPointers = `
if redis.call('HLEN', KEYS[2]) > tonumber(ARGV[1]) then return redis.error_reply('TOOMANY ' .. KEYS[2]) end
return {redis.call('GET', KEYS[1]) or '0', redis.call('HGETALL', KEYS[2])}`;

/** epoch, pointers, channel | expected epoch, then table, generation and source of each -> whether they were moved, and the epoch. */
export const movePointers = `${now}${whole}${epochOf("KEYS[1]")}
if epoch ~= tonumber(ARGV[1]) then return {'no', whole(epoch)} end
local moved
${movePointersTo({ epoch: "KEYS[1]", pointers: "KEYS[2]", channel: "KEYS[3]", first: 2 })}
return {'yes', whole(moved)}`;

/** epoch, pointers, channel | known epoch, then table, epoch and the whole text of each. */
export const restorePointers = `${whole}${epochOf("KEYS[1]")}
local known = tonumber(ARGV[1])
local changed = false
for i = 2, #ARGV, 3 do
  local before = redis.call('HGET', KEYS[2], ARGV[i])
  local set = before and tonumber(string.match(before, '^(%d+) ')) or -1
  if tonumber(ARGV[i + 1]) > set then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
    changed = true
  end
end
if changed or known > epoch then
  redis.call('SET', KEYS[1], whole(math.max(known, epoch + (changed and 1 or 0))))
  redis.call('PUBLISH', KEYS[3], 'pointers')
end
return ''`;
