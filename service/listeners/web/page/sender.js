/**
 * Sends own texts: in their order, after each login those again that have no ack. It keeps none: outbox.js does.
 * @module
 */

import { MAIN } from './conversation.js';
import { Refusal, refused, words } from './words.js';
import { countOf } from './text.js';

/** @typedef {import('./outbox.js').Outbox} Outbox */
/** @typedef {import('./outbox.js').Pending} Pending */
/** @typedef {import('./protocol.js').Command} Command */

const PAUSE = 5000; // ms until a text is sent again that the service could not store
const ADOPTION = 10_000; // ms that another tab has to send its text itself: it may be closed by then

export class Sender {
  /**
   * @param {import('./wire.js').Wire} wire
   * @param {import('./store.js').Store} store
   * @param {import('./catchup.js').CatchUp} catchUp
   * @param {Outbox} outbox
   */
  constructor(wire, store, catchUp, outbox) {
    /** @private */
    this.wire = wire;
    /** @private */
    this.store = store;
    /** @private */
    this.catchUp = catchUp;
    this.outbox = outbox;
    /** @private @type {Set<string>} nonces that were sent on this connection */
    this.flight = new Set();
    /** @private */
    this.isOpen = false; // somebody is logged in on it
    /** @private */
    this.timer = 0;
  }

  /** A login is done: all that waits is sent, from other tabs as well. */
  begin() {
    this.isOpen = true;
    this.flight.clear();
    this.outbox.load();
    for (const target of new Set(this.outbox.all.map((entry) => entry.target))) {
      if (!this.store.get(target)) this.store.begin(target).isLost = target[0] === '#';
      this.show(target);
    }
    this.send();
  }

  stop() {
    this.isOpen = false;
    this.wire.environment.clear(this.timer);
    this.timer = 0;
  }

  /**
   * @param {string} target
   * @param {string} text
   * @param {string} kind
   * @param {number} most characters
   * @returns {Refusal | null} it then stays with who wrote it
   */
  say(target, text, kind, most) {
    const conversation = target[0] === '@' ? this.store.begin(target) : this.store.get(target);
    if (!text) return new Refusal(words.empty, 'empty_message');
    if (countOf(text) > most) return new Refusal(words.tooLong(most), 'message_too_long');
    if (!conversation || conversation.isLost) return new Refusal(words.lost, 'not_a_member');
    const refusal = this.outbox.add({ target, created: conversation.created, text, kind });
    if (refusal) return refusal;
    this.show(target);
    this.send();
    return null;
  }

  /** @param {string} nonce */
  again(nonce) {
    const target = this.outbox.get(nonce)?.target ?? '';
    this.outbox.again(nonce, this.store.get(target)?.created ?? '');
    this.show(target);
    this.send();
  }

  /** @param {string} nonce */
  discard(nonce) {
    const target = this.outbox.get(nonce)?.target ?? '';
    this.outbox.remove(nonce);
    this.show(target);
  }

  /**
   * Another tab has changed the storage.
   * @param {string | null} key
   * @param {string | null} value
   */
  hear(key, value) {
    const target = this.outbox.hear(key, value);
    this.show(target);
    if (target && value !== null) this.wait(ADOPTION);
  }

  /**
   * Sends what waits, later; not later still because something else comes to wait.
   * @private
   * @param {number} ms
   */
  wait(ms) {
    this.timer ||= this.wire.environment.later(() => {
      this.timer = 0;
      this.send();
    }, ms);
  }

  /**
   * A talk is with somebody of another name now.
   * @param {string} from a target
   * @param {string} to
   */
  rename(from, to) {
    this.outbox.rename(from, to);
    this.show(to);
  }

  /**
   * @private
   * @param {string} target
   */
  show(target) {
    const conversation = this.store.get(target);
    if (!conversation) return;
    conversation.pending = this.outbox.of(target);
    this.store.tell({ kind: 'pending', target });
    const isDone = conversation.isLost && !conversation.pending.length; // it was kept for them
    if (isDone && this.store.open !== target) this.store.lose(target);
  }

  /** @private */
  send() {
    if (!this.isOpen) return;
    for (const entry of this.outbox.waiting) {
      if (this.flight.has(entry.nonce)) continue;
      this.flight.add(entry.nonce);
      this.wire.send(commandOf(entry), (reply) => this.answer(entry.nonce, reply));
    }
  }

  /**
   * @private
   * @param {string} nonce
   * @param {import('./protocol.js').Event | null} reply
   */
  answer(nonce, reply) {
    const entry = this.outbox.get(nonce);
    this.flight.delete(nonce);
    if (!reply || !entry) return;
    if (reply.type === 'ack') {
      this.outbox.remove(nonce);
      this.show(entry.target); // a text is never pending and stored at once
      this.store.sent(reply, entry); // at once, as the text would vanish meanwhile; and at its place, if that comes
      if (this.catchUp.isUnderWay) this.catchUp.inOrder(() => this.store.sent(reply, entry));
    } else if (reply.type === 'error' && reply.code === 'storage_unavailable') {
      this.wait(PAUSE);
    } else if (reply.type === 'error') {
      this.outbox.fail(nonce, refused(reply).text);
      this.show(entry.target);
    }
  }
}

/**
 * @param {Pending} entry
 * @returns {Command}
 */
function commandOf({ target, created, text: message, kind, nonce }) {
  const text = { message, nonce, kind: /** @type {'action' | undefined} */ (kind || undefined) };
  if (target[0] === '@') return { command: 'dm', to: target.slice(1), ...text };
  if (target === MAIN) return { command: 'pm', ...text };
  return { command: 'pm', room: target.slice(1), created: created || undefined, ...text };
}
