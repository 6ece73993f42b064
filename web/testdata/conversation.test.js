// The reducer of docs/protocol.md, "Order and resume". Run by web_test.go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation } from "../dist/conversation.js";

let seq = 0;
const event = (type, members = {}) => ({ type, conversation_id: "c", turn_id: "t", seq: ++seq, ...members });
const delta = (content, members = {}) => event("chat_response_delta", { content, ...members });

function begin() {
  seq = 0;
  const c = new Conversation("c");
  c.subscribe();
  c.subscribed({ epoch: "e", seq: 0, from: 1, reset: false });
  c.take(event("user_message", { id: "q", message: "hello" }));
  c.take(event("chat_response_start", { model: "m", omitted_turns: 0 }));
  return c;
}

const text = (c) => c.turns[0].parts.map((p) => p.text ?? `[${p.name} ${p.status} ${p.result}]`).join("");

test("a turn grows by its events and ends by the last", () => {
  const c = begin();
  c.take(delta("a"));
  c.take(delta("b"));
  c.take(event("tool_call", { call_id: "k", name: "add", arguments: { x: 1 } }));
  c.take(event("tool_call_update", { call_id: "k", status: "completed", result: "2" }));
  c.take(delta("c"));
  c.take(delta("d"));
  assert.equal(text(c), "ab[add completed 2]cd");
  assert.equal(c.running.length, 1);
  c.take(event("chat_response_complete", { status: "completed", parts: [{ type: "text", text: "whole" }] }));
  assert.equal(text(c), "whole");
  assert.equal(c.running.length, 0);
});

test("what is known already is ignored", () => {
  const c = begin();
  const d = delta("a");
  assert.equal(c.take(d), "applied");
  assert.equal(c.take(d), "ignored");
  assert.equal(text(c), "a");
});

test("a gap and an overlap are asked for again, and nothing is taken until subscribed", () => {
  for (const broken of [{ seq: 9 }, { seq: 9, from: 8 }, { seq: 5, from: 3 }]) {
    const c = begin();
    c.take(delta("a"));
    assert.equal(c.take(delta("x", broken)), "gap");
    assert.deepEqual(c.subscribe(), { type: "subscribe", conversation_id: "c", after: 3, epoch: "e" });
    assert.equal(c.take(delta("b", { seq: 4 })), "ignored");
    c.subscribed({ epoch: "e", seq: 5, from: 4, reset: false });
    assert.equal(c.take(delta("bc", { seq: 5, from: 4 })), "applied");
    assert.equal(text(c), "abc");
    assert.equal(c.last, 5);
  }
});

test("an overlap of what sets the answer does no harm", () => {
  const c = begin();
  c.take(delta("a"));
  assert.equal(c.take(event("chat_response_complete", { seq: 6, from: 2, status: "completed", parts: [{ type: "text", text: "abc" }] })), "applied");
  assert.equal(text(c), "abc");
});

test("another epoch, and a reset, forget all", () => {
  for (const frame of [{ epoch: "f", from: 1, reset: false }, { epoch: "e", from: 1, reset: true }]) {
    const c = begin();
    c.subscribed(frame);
    assert.deepEqual([c.last, c.turns.length, c.epoch], [0, 0, frame.epoch]);
  }
});

test("an event of an unknown type keeps its number", () => {
  const c = begin();
  assert.equal(c.take(event("of_a_later_version")), "applied");
  assert.equal(c.take(delta("a")), "applied");
});

test("progress is shown until something comes, and never of what is over", () => {
  const c = begin();
  c.progress({ turn_id: "t", phase: "waiting for the model", elapsed_ms: 5100 });
  assert.deepEqual(c.turns[0].progress, { phase: "waiting for the model", seconds: 5 });
  c.take(delta("a"));
  assert.equal(c.turns[0].progress, null);
});
