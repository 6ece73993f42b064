// The page: what is typed goes to the connection, what comes goes to the
// conversation, and the view shows the two as they are.

import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { browser, tab } from "./storage.js";
import { element, showConversation, showState } from "./view.js";

const validId = /^[A-Za-z0-9._:-]{1,64}$/;
const connection = new Connection();
let conversation;

/**
 * Messages that the server has not acknowledged: {id, conversation, message, error}.
 * They are sent again after a reconnect, and after a reload: their id makes them one.
 */
let outbox = JSON.parse(tab.get("pam.outbox") ?? "[]");

function keepOutbox() {
  tab.set("pam.outbox", JSON.stringify(outbox));
}

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16)); // a page of plain http has no randomUUID
  return Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
}

/** Shows the conversation id, or a new one. */
function open(id) {
  if (conversation && conversation.id === id) return;
  if (conversation) connection.send({ type: "unsubscribe", conversation_id: conversation.id });
  const known = id !== undefined;
  conversation = new Conversation(id ?? newId());
  browser.set("pam.conversation", known ? conversation.id : null);
  history.replaceState(null, "", known ? "#" + conversation.id : location.pathname);
  if (known) connection.send(conversation.subscribe());
  draw();
  element.message.focus();
}

/** Remembers that the conversation exists, so that it is found again. */
function begun() {
  browser.set("pam.conversation", conversation.id);
  history.replaceState(null, "", "#" + conversation.id);
}

function ask(message) {
  const limit = connection.limits.message_characters ?? 32_768;
  if ([...message].length > limit) {
    say({ message: `This is longer than ${limit} characters.`, hint: "Send it in pieces." });
    return false;
  }
  const entry = { id: newId(), conversation: conversation.id, message, error: null };
  outbox.push(entry);
  keepOutbox();
  begun();
  deliver(entry);
  return true;
}

function deliver(entry) {
  entry.error = null;
  connection.send({ type: "chat", id: entry.id, conversation_id: entry.conversation, message: entry.message });
  draw();
}

/** Takes a frame of the server. */
function take(frame) {
  switch (frame.type) {
    case "connected":
      said = null;
      if (location.hash.length > 1) connection.send(conversation.subscribe());
      for (const entry of outbox) if (!entry.error) deliver(entry);
      return;
    case "subscribed":
      if (frame.conversation_id === conversation.id) conversation.subscribed(frame);
      break;
    case "turn_progress":
      if (frame.conversation_id === conversation.id) conversation.progress(frame);
      break;
    case "error":
      refused(frame);
      break;
    default:
      if (frame.seq !== undefined) event(frame);
      return;
  }
  draw();
}

function event(frame) {
  if (frame.type === "user_message") { // the acknowledgement, also where it is ignored
    outbox = outbox.filter((entry) => entry.id !== frame.id);
    keepOutbox();
  }
  if (frame.conversation_id !== conversation.id) return;
  if (conversation.take(frame) === "gap") connection.send(conversation.subscribe());
  draw();
}

function refused(frame) {
  const entry = outbox.find((e) => e.id === frame.id);
  const gone = frame.error_code === "conversation_deleted" || frame.error_code === "not_found";
  if (entry) {
    entry.error = frame;
    keepOutbox();
  } else if (gone && frame.conversation_id === conversation.id) {
    conversation.forget(); // where a message of ours begins it, `subscribed` comes
    if (frame.error_code === "conversation_deleted") say(frame);
    if (!outbox.some((e) => e.conversation === conversation.id)) open();
  } else if (frame.error_code !== "going_away") { // that is the connection's to say
    say(frame);
  }
}

/** Says something that is of no turn, for a while. */
let said = null;
function say(error) {
  said = error;
  setTimeout(() => {
    if (said === error) said = null;
    draw();
  }, 8000);
  draw();
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showConversation(conversation, outbox, connection.state);
  });
}

function again(id) {
  const entry = outbox.find((e) => e.id === id);
  if (entry) deliver(entry); // a refusal has kept no key: the same id may be sent again
}

function drop(id) {
  outbox = outbox.filter((e) => e.id !== id);
  keepOutbox();
  draw();
}

connection.idle = () => conversation.running.length === 0 && outbox.length === 0;
connection.addEventListener("frame", ({ detail }) => take(detail));
connection.addEventListener("state", () => {
  showState(connection.state, said);
  draw();
});
connection.addEventListener("expiring", () => {
  element.identify.hidden = false;
});
setInterval(() => showState(connection.state, said), 250);

element.composer.addEventListener("submit", (submit) => {
  submit.preventDefault();
  const message = element.message.value.trim();
  if (message && ask(message)) element.message.value = "";
  element.message.dispatchEvent(new Event("input"));
});
element.message.addEventListener("keydown", (key) => {
  if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
  key.preventDefault();
  element.composer.requestSubmit();
});
element.message.addEventListener("input", () => {
  element.message.style.height = "auto";
  element.message.style.height = element.message.scrollHeight + 2 + "px";
});
element.identify.addEventListener("submit", (submit) => {
  submit.preventDefault();
  element.identify.hidden = true;
  connection.identify(element.token.value.trim());
  element.token.value = "";
});
element.examples.addEventListener("click", ({ target }) => {
  if (target instanceof HTMLButtonElement) ask(target.textContent);
});
element.log.addEventListener("click", ({ target }) => {
  if (target.dataset.again) again(target.dataset.again);
  if (target.dataset.drop) drop(target.dataset.drop);
});
element.stop.addEventListener("click", () => connection.send({ type: "cancel", conversation_id: conversation.id }));
element.fresh.addEventListener("click", () => open());
element.retry.addEventListener("click", () => connection.connect());
addEventListener("hashchange", () => open(idInAddress()));

function idInAddress() {
  const id = location.hash.slice(1);
  return validId.test(id) ? id : undefined;
}

open(idInAddress() ?? browser.get("pam.conversation") ?? undefined);
connection.connect();
