// A conversation as a client holds it: docs/protocol.md, "Order and resume".
// Pure: it knows no socket, no clock and no page.

/**
 * @typedef {object} Turn
 * @property {string} turnId
 * @property {string} chatId    the `id` of its message
 * @property {string} message
 * @property {object[]} parts   as on the wire
 * @property {?string} status   null until it is over
 * @property {?object} error
 * @property {number} omitted   turns of the past that the model was not told
 * @property {?object} progress what is being waited for
 */

export class Conversation {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.forget();
  }

  /** Drops all that is held, so that all is asked for again. */
  forget() {
    this.last = 0;
    this.epoch = null;
    this.title = "";
    /** @type {Turn[]} */
    this.turns = [];
    this.waiting = false; // for `subscribed`, after a gap
  }

  /** The turns that are not over. */
  get running() {
    return this.turns.filter((turn) => turn.status === null);
  }

  /** The frame that asks for what is missing. */
  subscribe() {
    this.waiting = true;
    const frame = { type: "subscribe", conversation_id: this.id };
    if (this.last > 0) Object.assign(frame, { after: this.last, epoch: this.epoch });
    return frame;
  }

  /** Takes `subscribed`: rules 4 and 5. */
  subscribed(frame) {
    if (frame.reset || frame.epoch !== this.epoch) this.forget();
    this.epoch = frame.epoch;
    this.waiting = false;
  }

  /**
   * Takes an event: rule 3.
   * @returns {"applied"|"ignored"|"gap"} on "gap" the caller sends subscribe()
   */
  take(event) {
    const from = event.from ?? event.seq;
    if (this.waiting || event.seq <= this.last) return "ignored";
    const overlap = event.type === "chat_response_delta" && from <= this.last;
    if (from > this.last + 1 || overlap) return "gap";
    this.last = event.seq;
    this.#apply(event);
    return "applied";
  }

  #apply(event) {
    if (event.type === "conversation_updated") {
      this.title = event.title;
      return;
    }
    if (!event.turn_id) return;
    const turn = this.#turn(event.turn_id);
    turn.progress = null;
    switch (event.type) {
      case "user_message":
        turn.chatId = event.id;
        turn.message = event.message;
        break;
      case "chat_response_start":
        turn.omitted = event.omitted_turns ?? 0;
        break;
      case "chat_response_delta": {
        const part = turn.parts.at(-1);
        if (part?.type === "text") part.text += event.content;
        else turn.parts.push({ type: "text", text: event.content });
        break;
      }
      case "tool_call":
        turn.parts.push({
          type: "tool_call",
          call_id: event.call_id,
          name: event.name,
          arguments: event.arguments,
          status: "running",
          result: "",
        });
        break;
      case "tool_call_update": {
        const part = turn.parts.find((p) => p.call_id === event.call_id);
        if (part) Object.assign(part, { status: event.status, result: event.result });
        break;
      }
      case "chat_response_reset":
        turn.parts = event.parts;
        break;
      case "chat_response_complete":
        turn.parts = event.parts;
        turn.status = event.status;
        turn.error = event.error ?? null;
        break;
    }
  }

  /** Takes `turn_progress`, which is no event. */
  progress(frame) {
    const turn = this.turns.find((t) => t.turnId === frame.turn_id);
    if (turn && turn.status === null) turn.progress = { phase: frame.phase, seconds: Math.round(frame.elapsed_ms / 1000) };
  }

  #turn(turnId) {
    let turn = this.turns.find((t) => t.turnId === turnId);
    if (!turn) {
      turn = { turnId, chatId: "", message: "", parts: [], status: null, error: null, omitted: 0, progress: null };
      this.turns.push(turn);
    }
    return turn;
  }
}
