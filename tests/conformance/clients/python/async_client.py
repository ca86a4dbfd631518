"""The asynchronous client of python-socketio against the echo application or a gateway."""
import asyncio

import socketio

from checks import ARGUMENTS, BINARY, SCENARIO, TASK_ID, TIMEOUT, TOKEN, TRANSPORT, TRANSPORTS, URL, check, finish


def collect(client, name, namespace="/"):
    seen = asyncio.Queue()

    async def take(*args):
        await seen.put(args)

    client.on(name, take, namespace=namespace)
    return lambda: asyncio.wait_for(seen.get(), TIMEOUT)


async def echo():
    client = socketio.AsyncClient(reconnection=False)
    auth, back = collect(client, "auth"), collect(client, "message-back")
    custom = collect(client, "auth", "/custom")
    await client.connect(URL, auth={"token": "abc"}, transports=TRANSPORTS, namespaces=["/", "/custom"], wait_timeout=TIMEOUT)
    check("the auth payload arrives", await auth() == ({"token": "abc"},))
    check("a second namespace is open", await custom() == ({"token": "abc"},))
    await client.emit("message", ARGUMENTS)
    check("an event comes back", await back() == ARGUMENTS)
    await client.emit("message", ("bytes", BINARY))
    check("binary comes back", await back() == ("bytes", BINARY))
    answer = await client.call("message-with-ack", (1, "two", BINARY), timeout=TIMEOUT)
    check("an acknowledgement carries its arguments", tuple(answer) == (1, "two", BINARY), answer)
    for i in range(200):
        await client.emit("message", i)
    # This client starts a task per event, and tasks may end in another order.
    check("two hundred events come back", sorted([(await back())[0] for _ in range(200)]) == list(range(200)))
    check("the transport is the one asked for", client.transport() == ("polling" if TRANSPORT == "polling" else "websocket"), client.transport())
    await client.disconnect()


async def gateway():
    client = socketio.AsyncClient(reconnection=False)
    state, added = collect(client, "task:state"), collect(client, "task:event_added")
    await client.connect(URL, auth={"token": TOKEN}, transports=TRANSPORTS, wait_timeout=TIMEOUT)
    check("a join is acknowledged", await client.call("task:join", {"taskId": TASK_ID}, timeout=TIMEOUT) == {"ok": True})
    check("the task's state came", (await state())[0]["taskId"] == TASK_ID)
    check("a dashboard join is acknowledged", await client.call("dashboard:join", {}, timeout=TIMEOUT) == {"ok": True})
    print("# joined", flush=True)
    seqs = []
    while True:
        event = (await added())[0]
        seqs.append(event["seq"])
        if event["event"]["payload"].get("text") == "done":
            break
    check("every live event came once", sorted(seqs) == list(range(min(seqs), min(seqs) + len(seqs))), seqs)
    await client.disconnect()


asyncio.run({"echo": echo, "gateway": gateway}[SCENARIO]())
finish()
