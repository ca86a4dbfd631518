"""What both Python clients share: arguments, TAP, and what is expected."""
import sys

URL, TRANSPORT, SCENARIO = sys.argv[1:4]
TOKEN, TASK_ID = (sys.argv[4:6] + [None, None])[:2]
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}[TRANSPORT]
TIMEOUT = 15

_count = 0
_failed = 0


def check(name, passed, detail=""):
    global _count, _failed
    _count += 1
    if not passed:
        _failed += 1
    print(f"{'ok' if passed else 'not ok'} {_count} - {name}{'' if passed else f' ({detail})'}", flush=True)


def finish():
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)


ARGUMENTS = ("text", 1, True, None, {"a": [1, 2.5]}, "пойду ☃ 𝄞")
BINARY = bytes([0, 1, 254, 255])
