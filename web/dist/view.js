// What is on the screen. All that others wrote is shown as text, never as markup.

/** The elements of the page that are written to, by their id. */
export const element = Object.fromEntries(
  ["title", "state", "fresh", "notice", "retry", "scroll", "welcome", "examples", "log", "identify", "token", "composer", "message", "stop", "send"].map(
    (id) => [id, document.getElementById(id)],
  ),
);

const stateText = document.getElementById("state-text");
const noticeMessage = document.getElementById("notice-message");
const noticeHint = document.getElementById("notice-hint");

/** Writes text where it differs: a screen reader is not told the same thing twice. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function make(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function describe(state) {
  const now = performance.now();
  switch (state.kind) {
    case "connected":
      return "Connected";
    case "silent":
      return `No answer from the server for ${Math.round((now - state.since) / 1000)} s`;
    case "waiting":
      return now < state.until ? `Reconnecting in ${Math.ceil((state.until - now) / 1000)} s` : "Reconnecting…";
    case "offline":
      return "This device is offline";
    case "token":
      return "Not signed in";
    case "stopped":
      return "Not connected";
    default:
      return "Connecting…";
  }
}

let lost = 0; // since when there is no connection

/** Shows the state of the connection, and what was said of no turn. */
export function showState(state, said) {
  element.state.dataset.kind = state.kind;
  write(stateText, describe(state));
  element.identify.hidden = state.kind !== "token" && !(state.kind === "connected" && !element.identify.hidden);
  if (state.kind === "connected") lost = 0;
  else lost ||= performance.now();

  const away = state.kind === "waiting" || state.kind === "offline" || state.kind === "stopped";
  const patient = state.kind === "waiting" && performance.now() - lost < 2000;
  const error = state.kind === "connected" || state.kind === "silent" ? said : state.error;
  element.notice.hidden = patient || !(away || error);
  element.retry.hidden = !away;
  write(noticeMessage, error?.message ?? "The connection is lost.");
  write(noticeHint, error?.hint ?? (error ? "" : "What was asked goes on at the server."));
}

/** Shows a conversation, and what is still to be sent. */
export function showConversation(conversation, outbox, state) {
  const atEnd = element.scroll.scrollHeight - element.scroll.scrollTop - element.scroll.clientHeight < 80;
  const first = conversation.running[0];
  const known = new Set(conversation.turns.map((turn) => turn.chatId));
  const pending = outbox.filter((e) => e.conversation === conversation.id && !known.has(e.id));
  const wanted = [
    ...conversation.turns.map((turn) => ({ key: turn.turnId, show: (node) => showTurn(node, turn, turn === first || turn.status !== null) })),
    ...pending.map((entry) => ({ key: entry.id, show: (node) => showPending(node, entry, state) })),
  ];
  wanted.forEach(({ key, show }, i) => {
    let node = element.log.children[i];
    if (node?.dataset.key !== key) {
      node?.remove();
      node = emptyTurn(key);
      element.log.insertBefore(node, element.log.children[i] ?? null);
    }
    show(node);
  });
  while (element.log.children.length > wanted.length) element.log.lastChild.remove();

  element.welcome.hidden = wanted.length > 0 || conversation.waiting;
  element.stop.hidden = !first;
  element.stop.disabled = state.kind !== "connected" && state.kind !== "silent";
  write(element.title, conversation.title);
  document.title = conversation.title ? conversation.title + " · PAM" : "PAM";
  if (atEnd) element.scroll.scrollTop = element.scroll.scrollHeight;
}

function emptyTurn(key) {
  const node = make("li", "turn");
  node.dataset.key = key;
  node.append(make("p", "question"), make("div", "answer"), make("p", "note"));
  return node;
}

function showTurn(node, turn, isUp) {
  const [question, answer, note] = node.children;
  write(question, turn.message);
  answer.hidden = !isUp;
  node.toggleAttribute("data-running", isUp && turn.status === null);
  turn.parts.forEach((part, i) => showPart(answer, i, part));
  while (answer.children.length > turn.parts.length) answer.lastChild.remove();
  showNote(note, noteOf(turn, isUp));
}

/** What is to be said of a turn beside its answer: [text, whether it is bad]. */
function noteOf(turn, isUp) {
  const error = turn.error ? `${turn.error.message} ${turn.error.hint ?? ""}` : "";
  switch (turn.status) {
    case null:
      if (!isUp) return ["Waits for the answer before it.", false];
      return [turn.progress ? `${turn.progress.phase}, ${turn.progress.seconds} s` : "", false];
    case "cancelled":
      return ["Stopped.", false];
    case "failed":
      return [error || "This could not be answered.", true];
    case "interrupted":
      return [error || "This was interrupted.", true];
    default:
      return [turn.omitted ? `The model was not told the oldest ${turn.omitted} questions: they no longer fit.` : "", false];
  }
}

function showNote(note, [text, isBad]) {
  write(note, text);
  note.hidden = text === "";
  note.dataset.kind = isBad ? "bad" : "";
}

function showPart(answer, i, part) {
  let node = answer.children[i];
  if (node?.dataset.kind !== part.type) {
    const fresh = part.type === "text" ? make("p", "text") : emptyCall();
    fresh.dataset.kind = part.type;
    if (node) node.replaceWith(fresh);
    else answer.append(fresh);
    node = fresh;
  }
  if (part.type === "text") showText(node, part.text);
  else if (part.type === "tool_call") showCall(node, part);
}

/** Shows text that mostly grows at its end: what stands there stays as it is. */
function showText(node, text) {
  const shown = node.firstChild;
  if (shown && text.startsWith(shown.data)) {
    if (text.length > shown.length) shown.appendData(text.slice(shown.length));
  } else {
    node.textContent = text;
  }
}

function emptyCall() {
  const node = make("details", "call");
  const summary = make("summary", "");
  summary.append(make("b", ""), make("span", ""));
  node.append(summary, make("pre", ""));
  return node;
}

function showCall(node, call) {
  const states = { running: "…", completed: "", failed: "failed", in_doubt: "nobody knows how it ended" };
  const state = states[call.status] ?? call.status;
  node.dataset.status = call.status;
  write(node.querySelector("b"), call.name);
  write(node.querySelector("span"), state && ` ${state}`);
  write(node.querySelector("pre"), JSON.stringify(call.arguments, null, 2) + (call.result ? "\n\n" + call.result : ""));
}

function showPending(node, entry, state) {
  const [question, answer, note] = node.children;
  node.toggleAttribute("data-pending", true);
  write(question, entry.message);
  answer.hidden = true;
  if (!entry.error) {
    showNote(note, [state.kind === "connected" ? "Sending…" : "Is sent once there is a connection.", false]);
    return;
  }
  const text = `${entry.error.message} ${entry.error.hint ?? ""}`;
  if (note.firstChild?.data === text) return; // its buttons stand there already
  showNote(note, [text, true]);
  note.append(button("Send again", "again", entry.id), button("Drop", "drop", entry.id));
}

function button(text, action, id) {
  const node = make("button", "quiet", text);
  node.type = "button";
  node.dataset[action] = id;
  return node;
}
