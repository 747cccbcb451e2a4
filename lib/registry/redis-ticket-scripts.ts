/**
 * The Lua scripts of tickets in Redis: each is one step for everybody, and looks at all that is expected before it writes.
 * Numbers travel as text. REGISTRY.md describes the keys.
 */
import { epochOf, movePointersTo, now, whole } from "./redis-scripts.js";

/** Counts a change, and tells of it: the count is above those of a registry that was emptied since. */
const tellTickets = `
local function tell(counter, channel)
  local changes = math.max(tonumber(redis.call('GET', counter) or '0') + 1, now)
  redis.call('SET', counter, whole(changes))
  redis.call('PUBLISH', channel, 'tickets')
end`;

/** The answer of a script for a ticket that is not there, or not in the version expected. */
const requireVersion = `
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return {'gone', ''} end
if version ~= ARGV[1] then return {'moved', 'state'} end`;

/** ticket, tickets, counter, channel | id, most, ticket's key prefix, plan, count of head texts, field and text of each, then the slots' fields -> how it went. */
export const createTicket = `${now}${whole}${tellTickets}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if redis.call('EXISTS', ARGV[3] .. id) == 0 then redis.call('ZREM', KEYS[2], id) end
end
if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return 'full' end
redis.call('HSET', KEYS[1], 'plan', ARGV[4])
local last = 5 + 2 * ARGV[5]
for i = 6, last, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'created', whole(now), 'changed', whole(now))
for i = last + 1, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], 'queued fence=0') end
redis.call('ZADD', KEYS[2], whole(now), ARGV[1])
tell(KEYS[3], KEYS[4])
return 'yes'`;

/** tickets | ticket's key prefix, then the fields of a head -> the time, then id and texts of each that there is. */
export const listTickets = `${now}${whole}
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local texts = redis.call('HMGET', ARGV[1] .. id, unpack(ARGV, 2))
  if texts[1] then found[#found + 1] = {id, texts} end
end
return {whole(now), found}`;

/** ticket -> its plan, empty without one. */
export const readPlan = `
return redis.call('HGET', KEYS[1], 'plan') or ''`;

/** ticket -> fields and values, also those of the head. */
export const readAllSlots = `
return redis.call('HGETALL', KEYS[1])`;

/** ticket | fields -> fields and values of those there are. */
export const readSlots = `
local found = {}
for _, field in ipairs(ARGV) do
  local text = redis.call('HGET', KEYS[1], field)
  if text then
    found[#found + 1] = field
    found[#found + 1] = text
  end
end
return found`;

/**
 * ticket, counter, channel | expected version, state or empty, reason, whether it ended, for how long it is kept or empty,
 * then field, expected text and new text of each slot -> how it went, and what has moved.
 */
export const changeTicket = `${now}${whole}${tellTickets}${requireVersion}
for i = 6, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return {'moved', "slot '" .. ARGV[i] .. "'"} end
end
local told = ARGV[2] ~= ''
for i = 6, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  local from, to = string.match(ARGV[i + 1], '^%a+'), string.match(ARGV[i + 2], '^%a+')
  if from ~= to then
    redis.call('HINCRBY', KEYS[1], from, -1)
    redis.call('HINCRBY', KEYS[1], to, 1)
    told = true
  end
end
redis.call('HSET', KEYS[1], 'changed', whole(now))
if ARGV[2] ~= '' then
  redis.call('HINCRBY', KEYS[1], 'version', 1)
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'reason', ARGV[3], 'ended', ARGV[4] == 'yes' and whole(now) or '')
  if ARGV[5] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
end
if told then tell(KEYS[2], KEYS[3]) end
return {'yes', ''}`;

/**
 * ticket, counter, channel, epoch, pointers | expected version, expected epoch, then table, generation and source of each -> how it went,
 * and the epoch. Inside a text of the plan quotes are escaped, so that none of them looks like the purpose.
 */
export const commitTicket = `${now}${whole}${tellTickets}${requireVersion}${epochOf("KEYS[4]")}
local joins = string.find(redis.call('HGET', KEYS[1], 'plan'), '"purpose":"join"', 1, true) ~= nil
if joins ~= (#ARGV == 2) then return {'purpose', ''} end
if epoch ~= tonumber(ARGV[2]) then return {'epoch', whole(epoch)} end
local moved = epoch
if not joins then
${movePointersTo({ epoch: "KEYS[4]", pointers: "KEYS[5]", channel: "KEYS[3]", first: 3 })}
end
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'state', 'committed', 'reason', '', 'changed', whole(now), 'epoch', whole(moved))
tell(KEYS[2], KEYS[3])
return {'yes', whole(moved)}`;

/** ticket, tickets, counter, channel | id -> whether there was one. */
export const removeTicket = `${now}${whole}${tellTickets}
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('DEL', KEYS[1]) == 0 then return 'no' end
tell(KEYS[3], KEYS[4])
return 'yes'`;
