/* seat_scripts.c -- see seat_scripts.h.
 *
 * Redis runs a script alone, so "is it mine?" and "then change it" cannot come apart: that
 * is all the locking there is. A gateway that lost a seat without noticing (its client is
 * half-open, the news was lost) is told so by its next write.
 *
 * `run` is the run_id of the server that a record was written to. After a failover to an older
 * copy a record may lack rooms that were joined since; it is not believed, and its owner, if
 * it is alive, writes it anew. */
#include "gateway/seat_scripts.h"

struct redis_script seat_write_script = { .text =
    "local owner = redis.call('HGET', KEYS[1], 'owner')\n"
    "if owner and owner ~= ARGV[1] then return -1 end\n"
    "if ARGV[2] == 'new' then\n"
    "  redis.call('DEL', KEYS[1])\n"
    "  redis.call('HSET', KEYS[1], 'owner', ARGV[1])\n"
    "elseif not owner then\n"
    "  return 0\n"
    "end\n"
    "local i = 5 + tonumber(ARGV[4])\n"
    "for j = 5, i - 1 do redis.call('HDEL', KEYS[1], ARGV[j]) end\n"
    "while ARGV[i] do\n"
    "  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])\n"
    "  i = i + 2\n"
    "end\n"
    "redis.call('EXPIRE', KEYS[1], ARGV[3])\n"
    "return 1\n"
};

struct redis_script seat_take_script = { .text =
    "local r = redis.call('HMGET', KEYS[1], 'owner', 'sub', 'org', 'run')\n"
    "if not r[1] then return 'none' end\n"
    "if r[2] ~= ARGV[2] or r[3] ~= ARGV[3] then return 'stranger' end\n"
    "if r[4] ~= ARGV[4] then return 'none' end\n"
    "redis.call('HSET', KEYS[1], 'owner', ARGV[1])\n"
    "redis.call('EXPIRE', KEYS[1], ARGV[5])\n"
    "redis.call('PUBLISH', ARGV[6] .. string.match(r[1], '^[^.]*'), 'drop ' .. r[1])\n"
    "return redis.call('HGETALL', KEYS[1])\n"
};

struct redis_script seat_delete_script = { .text =
    "if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end\n"
    "return 1\n"
};

struct redis_script seat_renew_script = { .text =
    "local out = {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local r = redis.call('HMGET', key, 'owner', 'run')\n"
    "  if not r[1] then\n"
    "    out[i] = 0\n"
    "  elseif r[1] ~= ARGV[i + 2] then\n"
    "    out[i] = -1\n"
    "  elseif r[2] ~= ARGV[2] then\n"
    "    out[i] = 0\n"
    "  else\n"
    "    redis.call('EXPIRE', key, ARGV[1])\n"
    "    out[i] = 1\n"
    "  end\n"
    "end\n"
    "return out\n"
};
