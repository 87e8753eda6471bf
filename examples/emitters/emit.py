#!/usr/bin/python3
"""emit.py live|keep ROOM TYPE [DATA]

Publishes an event with nothing but a Redis client, as collab-redis(7) says. DATA is JSON. `live` is
for who is there now, and prints how many gateways and tools got it. `keep` puts the event into the
room's history as well, in one step, and prints its id. Redis is where $COLLAB_REDIS says, a URL as
the tools take it.
"""
import datetime
import json
import os
import sys
import time

import redis


class Emitter:
    def __init__(self, url):
        # What the tools write unix:/path, a client of Redis for Python writes unix:///path.
        if url.startswith("unix:/") and not url.startswith("unix://"):
            url = "unix://" + url[len("unix:"):]
        self.redis = redis.Redis.from_url(url, decode_responses=True)
        self.run = None
        self.append = None

    def live(self, room, type, data=None, **fields):
        """Publishes to who is there. Returns how many gateways and tools got it."""
        return self.redis.publish("collab:room:" + room, self._event(room, type, data, fields))

    def keep(self, room, type, data=None, length=1000, age_ms=7 * 86400 * 1000, **fields):
        """Publishes, and keeps it in the room's history: length and age_ms as the catalog has them
        for the room. Returns the event's id."""
        if self.append is None:
            self.run = self.redis.info("server")["run_id"]
            self.append = self.redis.register_script(self.redis.hget("collab:scripts", "append"))
        # Both keys have the room in braces, so that on a cluster they are on one server.
        keys = [f"collab:history:{{{room}}}", f"collab:epoch:{{{room}}}:{self.run}"]
        text = self._event(room, type, data, fields)[1:]
        now_ms = int(time.time() * 1000)
        return self.append(keys, [text, length, age_ms, now_ms, "collab:room:" + room])

    @staticmethod
    def _event(room, type, data, fields):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z"
        event = {"type": type, "room": room, "time": stamp, **fields, "data": data}
        return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def main():
    if len(sys.argv) not in (4, 5) or sys.argv[1] not in ("live", "keep"):
        sys.exit(__doc__)
    how, room, type = sys.argv[1:4]
    data = json.loads(sys.argv[4]) if len(sys.argv) == 5 else None
    emitter = Emitter(os.environ.get("COLLAB_REDIS", "redis://127.0.0.1:6379"))
    print(getattr(emitter, how)(room, type, data))


if __name__ == "__main__":
    main()
