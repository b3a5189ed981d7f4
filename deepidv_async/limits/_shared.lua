-- One limit for many processes: a bucket as in _level.py, kept in one hash of the server.
--
-- A process reports what has become of its requests since the last call, and asks for a lease:
-- tokens that only it may use. A lease lies in the near future, so that one call brings several
-- requests, and is short, so that no process sits on tokens that another one needs now. Who asks
-- in vain is given a turn, and who has had least goes first. What was had more than a burst ago is
-- forgotten, so one that comes new, or seldom, is not behind the others, nor far in front.
--
-- Tokens are counted in millionths and time in microseconds of the server's own clock, so
-- "tokens per second" times "microseconds" is a count of tokens. Each caller goes by the rate and
-- the burst that it was given, so one that was given less takes nothing from the others. All are whole numbers below
-- 2^53, and are written with all their digits.
--
-- Fields of the hash:
--   at debt         the debt at an instant; during a pause that is the end of the pause
--   factor since grown  how much of the rate is kept, in millionths, the last congestion event, when
--                   the factor was mended last
--   pause refused   no lease before this instant; how many 429s were reported
--   day used stop   the day (UTC, since 1970), its count, until when the server's word stands
--   reset           when the state was last made anew or found to be wrong
--   burst published per_day   the limit, as it was told last
--   had             where the process that was served last stood
--   p:ID            of each process: open, expires, waits since (0: it does not), is due, has had
local key = KEYS[1]
local a = cjson.decode(ARGV[1])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local s, processes = {}, {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do
  local id = string.match(flat[i], '^p:(.*)')
  if id then
    local open, expires, waits, due, had =
      string.match(flat[i + 1], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
    if open then
      processes[id] = {
        open = tonumber(open), expires = tonumber(expires), waits = tonumber(waits),
        due = tonumber(due), had = tonumber(had),
      }
    end
  else
    s[flat[i]] = tonumber(flat[i + 1])
  end
end

local changes = {}
local function whole(number) return string.format('%.0f', number) end
local function set(field, number)
  s[field] = number
  changes[field] = whole(number)
end

-- The state ---------------------------------------------------------------------------------

-- A caller that spoke with us not long ago knows that there was a state, and how much time has
-- passed: if the state is gone, or the clock was stepped, the bucket may be empty. An instant that
-- is still to come, and no pause's end, shows a clock that was stepped back.
local step = a.seen_at > 0 and math.abs(now - a.seen_at - a.passed) > a.tolerance
if not s.at then
  local tokens = a.initial
  if a.seen_at > 0 then tokens = 0 end
  set('at', now) set('debt', a.burst - tokens) set('pause', 0) set('refused', 0)
  set('since', 0) set('grown', now) set('factor', 1000000) set('stop', 0)
  set('day', 0) set('used', 0) set('reset', now) set('had', 0)
elseif step and a.seen_at > s.reset or s.at > math.max(now, math.min(s.pause, now + a.longest)) then
  set('at', now) set('debt', a.burst) set('pause', math.min(s.pause, now)) set('reset', now)
  set('grown', now) set('since', math.min(s.since, now)) set('stop', math.min(s.stop, now))
  for _, process in pairs(processes) do
    process.expires, process.waits = now + a.ttl, 0
  end
end
-- For whoever looks at the hash.
for field, value in pairs({ burst = a.burst, published = a.rate * 1000000, per_day = a.per_day }) do
  if s[field] ~= value then set(field, value) end
end
local function rate() return s.factor / 1000000 * a.rate end

local function pass(instant)
  if instant > s.at then
    s.debt = math.max(0, s.debt - math.floor((instant - s.at) * rate()))
    s.at = instant
  end
end
local function arrive(tokens, instant)
  pass(instant)
  s.debt = math.min(a.burst, s.debt + tokens)
end

-- What was under way in a process that is not heard of any more has arrived by now.
local dead = {}
for id, process in pairs(processes) do
  if process.expires <= now and id ~= a.id then dead[#dead + 1] = id end
end
table.sort(dead, function(x, y) return processes[x].expires < processes[y].expires end)
for _, id in ipairs(dead) do
  arrive(processes[id].open, processes[id].expires)
  processes[id] = nil
  redis.call('HDEL', key, 'p:' .. id)
end

-- What the caller reports -------------------------------------------------------------------

local me = processes[a.id] or { open = 0, expires = 0, waits = 0, due = 0, had = 0 }
if a.settled > 0 then arrive(a.settled, now - a.settled_age) end
pass(now)
me.open = a.open

if now > s.grown then
  set('factor', math.min(1000000, s.factor + math.floor(0.005 * (now - s.grown))))
  set('grown', now)
end
if a.pause >= 0 then
  if a.refused_at > s.since or s.since == 0 then
    set('since', now)
    set('factor', math.max(50000, math.floor(s.factor * 0.85)))
  end
  set('pause', math.max(s.pause, now + math.min(a.pause, a.longest)))
  s.at = math.max(s.at, s.pause)
  s.debt = a.burst - math.min(1000000, math.floor((s.at - now) * rate()))
  set('grown', math.max(s.grown, s.at))
  set('refused', s.refused + a.refusals)
end

local day = math.floor(now / 86400000000)
if day > s.day then
  set('day', day) set('used', 0)
end
local used = s.used
-- Whoever has counted more before the state was lost knows better.
if a.day == s.day and a.seen_at > 0 and a.seen_at <= s.reset then used = math.max(used, a.used) end
used = math.max(0, used - a.returned)
if a.stop > 0 then set('stop', math.max(s.stop, now + a.stop)) end

-- The lease ---------------------------------------------------------------------------------

if me.waits == 0 then me.had = math.max(me.had, s.had - a.burst) end
local open, ahead, owed = me.open, 0, 0
for id, process in pairs(processes) do
  if id ~= a.id then
    open = open + process.open
    -- One that does not come when it is due has gone, or wants nothing any more.
    local waiting = process.waits > 0 and process.due + a.grace > now
    if waiting and process.had < me.had then
      ahead = ahead + 1
      owed = owed + math.max(a.lease * rate(), me.had - process.had)
    end
  end
end

local granted, usable, retry, starved = 0, 0, 0, 0
local lack = s.debt + open + a.head - a.burst
if a.wanted == 0 or a.head == 0 then
  me.waits, me.due = 0, 0
elseif now < s.pause then
  retry = s.pause - now
elseif a.per_day >= 0 and used + a.head > a.per_day or now < s.stop then
  retry = -1
else
  local starts = math.max(0, lack / rate())
  local fits = open + a.head <= a.burst
  if fits and ahead == 0 and starts <= a.ahead then
    local most = math.max(a.head, a.lease * rate(), math.min(a.share, -lack + a.head))
    most = math.min(a.wanted, a.burst - open, most)
    if a.per_day >= 0 then most = math.min(most, a.per_day - used) end
    granted = math.floor(most / a.head) * a.head
    usable = math.ceil((s.debt + open + granted - a.burst) / rate())
    me.open, used = me.open + granted, used + granted
    me.waits, me.due = 0, 0
    set('had', math.max(s.had, me.had))
    me.had = me.had + granted
  else
    if fits then
      -- They may want less than they are owed, so not all of it is waited for.
      local before = math.min(owed / rate(), (ahead + 3) * a.lease)
      retry = math.max(starts - a.ahead + before, a.soonest)
      if me.waits == 0 then me.waits = now end
    else
      -- Requests that are under way have to arrive before anything comes back. Whoever has news of
      -- his comes first, so there are no turns.
      retry, me.waits, starved = a.starved, 0, 1
    end
    retry = math.ceil(retry)
    me.due = now + retry
  end
end

me.expires = now + a.ttl
set('used', used) set('at', s.at) set('debt', s.debt)
changes['p:' .. a.id] = table.concat(
  { whole(me.open), whole(me.expires), whole(me.waits), whole(me.due), whole(me.had) }, ' ')
local write = {}
for field, value in pairs(changes) do
  write[#write + 1] = field
  write[#write + 1] = value
end
redis.call('HSET', key, unpack(write))
redis.call('PEXPIRE', key, math.max(a.keep, math.ceil((s.pause - now) / 1000)))

local count = 1
for id in pairs(processes) do if id ~= a.id then count = count + 1 end end
return {
  a.call, whole(now), whole(granted), whole(usable), whole(retry), whole(s.debt),
  whole(rate() * 1000000), whole(math.max(0, s.pause - now)), whole(s.day), whole(used),
  whole(math.max(0, s.stop - now)), whole(s.refused), whole(count), starved,
}
