"""The transcript of the original's client: a plain client of PAM's WebSocket.

Each answer must be the very next frame, and nothing may come unasked.
"""
import asyncio
import json
import sys
import time

import websockets


async def silent(socket):
    """Nothing is sent that was not asked for."""
    try:
        frame = await asyncio.wait_for(socket.recv(), 0.3)
    except asyncio.TimeoutError:
        return
    raise AssertionError("unasked: " + frame)


async def ask(socket, frame, expected):
    await socket.send(json.dumps(frame))
    answer = json.loads(await asyncio.wait_for(socket.recv(), 10))
    assert answer["type"] == expected, (frame, answer)
    return answer


async def main(url, token):
    async with websockets.connect(f"{url}/api/v1/pam/ws/test-user-123?token={token}") as socket:
        assert socket.subprotocol is None, socket.subprotocol
        await silent(socket)

        pong = await ask(socket, {"type": "ping"}, "pong")
        assert "timestamp" not in pong, pong
        stamp = time.time()
        pong = await ask(socket, {"type": "ping", "timestamp": stamp}, "pong")
        assert pong["timestamp"] == stamp and pong["server_time"].endswith("Z"), pong

        ok = await ask(socket, {"type": "auth", "token": token}, "auth_ok")
        assert ok["user_id"] == "test-user-123" and ok["expires_at"], ok

        answer = await ask(socket, {
            "type": "chat",
            "message": "Hello PAM, are you working?",
            "conversation_id": "1736500000.123",
            "timestamp": "2025-01-10T09:06:40Z",
        }, "chat_response")
        assert answer["conversation_id"] == "1736500000.123", answer
        assert answer["message"] == answer["content"] != "", answer
        assert answer["error"] is False and answer["status"] == "completed", answer
        assert answer["ui_actions"] == [] and answer["model"] and answer["turn_id"] and answer["message_id"], answer
        assert answer["processing_time_ms"] >= 0 and answer["timestamp"].endswith("Z"), answer

        ack = await ask(socket, {
            "type": "init",
            "context": {
                "userLocation": {"lat": 46.948, "lng": 7.447, "city": "Bern"},
                "vehicleInfo": {"model": "Model Y"},
                "session_id": "session-1",
            },
        }, "init_ack")
        assert ack["session_id"] == "session-1" and ack["context_version"] == 1, ack
        await silent(socket)
        await socket.close(1000)
        assert socket.close_code == 1000, socket.close_code
    print("as the original's client has it")


asyncio.run(main(*sys.argv[1:]))
