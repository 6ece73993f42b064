// One connection to the server after the other: docs/protocol.md, "Who is it",
// "Accept, then explain" and "Order and resume". It knows nothing of what is said.

import { tab } from "./storage.js";

const api = "/api/v1/pam";
const greetingTimeout = 10_000; // from dialling to `connected`
const slowest = 30_000; // between two tries
const impatience = 5_000; // for an answer, where there is reason to doubt

/** What a close by a code asks of the client, as the protocol's table has it. */
function advice(code, errorCode) {
  if (errorCode === "jwks_unavailable") return "reconnect";
  if (code === 4401) return "renew";
  if ([1000, 1002, 1003, 1007, 1009, 4400, 4403, 4409].includes(code)) return "stop";
  return "reconnect";
}

/**
 * States are `{kind, …}`:
 *   connecting            asking for a token, or dialling
 *   connected             the server was heard from within one and a half heartbeats
 *   silent   {since}      it was not
 *   waiting  {until}      the next try comes at that time, or sooner by connect()
 *   offline               the browser says that there is no network
 *   token                 a token is needed: call identify()
 *   stopped               no further try by itself: call connect()
 * Times are of performance.now(). `error` is the `error` frame that explains it.
 */
export class Connection extends EventTarget {
  state = { kind: "connecting" };
  limits = {};
  idle = () => true; // whether no answer is on its way: set by the owner
  #socket = null;
  #heartbeat = 25_000;
  #heard = 0;
  #pinged = false;
  #doubt = 0; // where nothing is heard until then, the connection is gone
  #dialled = 0;
  #tries = 0;
  #error = null; // the last `error` frame of this connection
  #goaway = 0; // not before this time
  #token = null;
  #development = true; // until the server says otherwise
  #dialling = 0; // counts, so that a later dial wins

  constructor() {
    super();
    setInterval(() => this.#tick(), 500);
    addEventListener("online", () => this.#hurry());
    addEventListener("offline", () => this.#tick());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#hurry();
    });
  }

  /** Connects now, whatever the state. */
  async connect() {
    const turn = ++this.#dialling;
    this.#drop();
    this.#dialled = performance.now();
    this.#error = null;
    this.#goaway = 0;
    this.#doubt = 0;
    this.#pinged = false;
    this.#become({ kind: "connecting" });
    let token;
    try {
      token = await this.#findToken();
    } catch {
      if (turn === this.#dialling) this.#again(0);
      return;
    }
    if (turn !== this.#dialling) return;
    if (!token) {
      this.#become({ kind: "token", error: this.#error });
      return;
    }
    this.#dial(token);
  }

  /** Takes a token that a person typed, and connects with it. */
  identify(token) {
    this.#development = false;
    tab.set("pam.token", token);
    this.#token = token;
    if (this.#live) this.send({ type: "auth", token });
    else this.connect();
  }

  /** Sends a frame; false where there is no connection to send it on. */
  send(frame) {
    if (!this.#live) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  get #live() {
    return this.#socket?.readyState === WebSocket.OPEN && (this.state.kind === "connected" || this.state.kind === "silent");
  }

  #dial(token) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    let socket;
    try {
      socket = new WebSocket(`${scheme}//${location.host}${api}/ws`, ["pam.v1", "bearer." + token]);
    } catch {
      // Not even a subprotocol: what was typed is no token.
      this.#refuse({ message: "That is not a token.", hint: "A token is three parts of letters and digits, with two dots between." });
      return;
    }
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#take(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#closed(code);
    };
  }

  /** Leaves a socket behind: what it still delivers counts for nothing. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close(1000);
  }

  #take(frame) {
    this.#heard = performance.now();
    this.#pinged = false;
    this.#doubt = 0;
    if (this.state.kind === "silent") this.#become({ kind: "connected" });
    switch (frame.type) {
      case "connected":
        this.#heartbeat = frame.heartbeat_ms || this.#heartbeat;
        this.limits = frame.limits ?? {};
        this.#become({ kind: "connected" });
        this.#ping(); // a greeting alone may come from what is between
        break;
      case "ping":
        this.send({ type: "pong" });
        break;
      case "pong":
      case "auth_ok":
        this.#tries = 0;
        break;
      case "auth_expiring":
        this.#renew();
        break;
      case "goaway":
        this.#goaway = performance.now() + frame.reconnect_after_ms;
        break;
      case "error":
        this.#error = frame;
        break;
    }
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  #closed(code) {
    this.#socket = null;
    const error = this.#error;
    switch (advice(code, error?.error_code)) {
      case "renew":
        this.#refuse(error);
        break;
      case "stop":
        this.#become({ kind: "stopped", error });
        break;
      default:
        this.#again(error?.retry_after_ms ?? 0);
    }
  }

  /** The token was refused: another one is needed, from wherever this one came. */
  #refuse(error) {
    this.#token = null;
    if (this.#development) {
      this.#again(0); // a new one is asked for
      return;
    }
    tab.set("pam.token", null);
    this.#become({ kind: "token", error });
  }

  /** Tries again: full jitter, so that clients that fell together do not come back together. */
  #again(atLeast) {
    const cap = Math.min(slowest, 1000 * 2 ** this.#tries++);
    const now = performance.now();
    const notBefore = Math.max(now + atLeast, this.#goaway);
    const until = notBefore + Math.max(100, Math.random() * cap);
    this.#become({ kind: "waiting", until, notBefore, error: this.#error });
  }

  #tick() {
    const now = performance.now();
    switch (this.state.kind) {
      case "connecting":
        if (now - this.#dialled > greetingTimeout) {
          this.#dialling++;
          this.#drop();
          this.#again(0);
        }
        break;
      case "waiting":
        if (!navigator.onLine) this.#become({ kind: "offline", error: this.state.error });
        else if (now >= this.state.until) this.connect();
        break;
      case "offline":
        if (navigator.onLine) this.connect();
        break;
      case "connected":
      case "silent":
        this.#watch(now);
        break;
    }
  }

  /** Watches a live connection: a server that is not heard from is not called connected. */
  #watch(now) {
    const silence = now - this.#heard;
    if (silence > 2.5 * this.#heartbeat || (this.#doubt && now > this.#doubt)) {
      this.#drop();
      this.#again(0);
    } else if (silence > 1.5 * this.#heartbeat) {
      if (this.state.kind !== "silent") this.#become({ kind: "silent", since: this.#heard });
    } else if (silence > 1.1 * this.#heartbeat) {
      this.#ping();
    }
    if (this.#goaway && now > this.#goaway && this.idle()) this.connect();
  }

  #ping() {
    if (!this.#pinged) this.#pinged = this.send({ type: "ping" });
  }

  /** The network, or the person, has come back: do not wait any longer. */
  #hurry() {
    const now = performance.now();
    if (this.state.kind === "offline" || (this.state.kind === "waiting" && now >= this.state.notBefore)) {
      this.connect();
    } else if (this.#live) {
      this.#doubt ||= now + impatience;
      this.#ping();
    }
  }

  /** Returns a token, or null where a person has to give one. */
  async #findToken() {
    this.#token ??= tab.get("pam.token");
    if (this.#token) {
      this.#development = tab.get("pam.token") === null;
      return this.#token;
    }
    this.#token = await this.#askToken();
    return this.#token;
  }

  /** Asks for the token of development mode: null where the server is not in it. */
  async #askToken() {
    const answer = await fetch(`${api}/dev-token`, { method: "POST", signal: AbortSignal.timeout(greetingTimeout) });
    if (answer.status >= 500 || answer.status === 429) throw new Error("try again later");
    this.#development = answer.ok;
    return answer.ok ? (await answer.json()).token : null;
  }

  async #renew() {
    if (!this.#development) {
      this.dispatchEvent(new Event("expiring"));
      return;
    }
    try {
      const token = await this.#askToken();
      if (token && this.send({ type: "auth", token })) this.#token = token;
    } catch {
      // The end of the old one says so, and then a new one is asked for.
    }
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
