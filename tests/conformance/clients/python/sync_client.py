"""The synchronous client of python-socketio against the echo application or a gateway."""
import queue

import socketio

from checks import ARGUMENTS, BINARY, SCENARIO, TASK_ID, TIMEOUT, TOKEN, TRANSPORT, TRANSPORTS, URL, check, finish


def collect(client, name, namespace="/"):
    seen = queue.Queue()
    client.on(name, lambda *args: seen.put(args), namespace=namespace)
    return seen


def echo():
    client = socketio.Client(reconnection=False)
    auth, back = collect(client, "auth"), collect(client, "message-back")
    custom = collect(client, "auth", "/custom")
    client.connect(URL, auth={"token": "abc"}, transports=TRANSPORTS, namespaces=["/", "/custom"], wait_timeout=TIMEOUT)
    check("the auth payload arrives", auth.get(timeout=TIMEOUT) == ({"token": "abc"},))
    check("a second namespace is open", custom.get(timeout=TIMEOUT) == ({"token": "abc"},))
    client.emit("message", ARGUMENTS)
    check("an event comes back", back.get(timeout=TIMEOUT) == ARGUMENTS)
    client.emit("message", ("bytes", BINARY, {"inside": BINARY}))
    check("binary comes back", back.get(timeout=TIMEOUT) == ("bytes", BINARY, {"inside": BINARY}))
    answer = client.call("message-with-ack", (1, "two", BINARY), timeout=TIMEOUT)
    check("an acknowledgement carries its arguments", tuple(answer) == (1, "two", BINARY), answer)
    for i in range(200):
        client.emit("message", i)
    # This client hands each event to a thread, and threads may overtake each other.
    check("two hundred events come back", sorted(back.get(timeout=TIMEOUT)[0] for _ in range(200)) == list(range(200)))
    check("the transport is the one asked for", client.transport() == ("polling" if TRANSPORT == "polling" else "websocket"), client.transport())
    client.disconnect()
    refused = socketio.Client(reconnection=False)
    try:
        refused.connect(URL, transports=TRANSPORTS, namespaces=["/random"], wait_timeout=TIMEOUT)
        check("an unknown namespace is refused", False)
    except socketio.exceptions.ConnectionError:
        check("an unknown namespace is refused", True)


def gateway():
    client = socketio.Client(reconnection=False)
    state, added = collect(client, "task:state"), collect(client, "task:event_added")
    dashboard = collect(client, "dashboard:state")
    client.connect(URL, auth={"token": TOKEN}, transports=TRANSPORTS, wait_timeout=TIMEOUT)
    check("a join is acknowledged", client.call("task:join", {"taskId": TASK_ID}, timeout=TIMEOUT) == {"ok": True})
    check("the task's state came", state.get(timeout=TIMEOUT)[0]["taskId"] == TASK_ID)
    check("a dashboard join is acknowledged", client.call("dashboard:join", {}, timeout=TIMEOUT) == {"ok": True})
    check("the dashboard's state came", "tasks" in dashboard.get(timeout=TIMEOUT)[0])
    print("# joined", flush=True)
    seqs = []
    while True:
        event = added.get(timeout=TIMEOUT)[0]
        seqs.append(event["seq"])
        if event["event"]["payload"].get("text") == "done":
            break
    check("live events come without gap or repeat", seqs == list(range(seqs[0], seqs[0] + len(seqs))), seqs)
    client.disconnect()
    stranger = socketio.Client(reconnection=False)
    try:
        stranger.connect(URL, auth={"token": "bad"}, transports=TRANSPORTS, wait_timeout=TIMEOUT)
        check("a bad token is refused", False)
    except socketio.exceptions.ConnectionError:
        check("a bad token is refused", True)


{"echo": echo, "gateway": gateway}[SCENARIO]()
finish()
