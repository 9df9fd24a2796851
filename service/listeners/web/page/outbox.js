/**
 * Texts that have no ack yet, kept for an account over reloads, each with its nonce. It sends nothing.
 *
 * Each has a key of its own in the storage, so that several tabs cannot lose one another's; where two send the same one
 * the nonce makes it one message.
 * @module
 */

import { Refusal, words } from './words.js';

/** @typedef {import('./environment.js').Area} Area */
/** A text that waits, or was refused with `error`. `created`: of its room. `time`: ISO, of this machine.
 * @typedef {{
 *   readonly nonce: string, readonly target: string, readonly created: string, readonly time: string,
 *   readonly text: string, readonly kind: string, readonly state: 'waiting' | 'failed', readonly error: string
 * }} Pending
 */

export const MOST = 200; // texts of one account; who types more without a connection is told
const FIELDS = ['nonce', 'target', 'created', 'time', 'text', 'kind', 'state', 'error'];

export class Outbox {
  /**
   * @param {Area} area
   * @param {string} account
   * @param {{ now: () => number, digits: () => string }} environment
   */
  constructor(area, account, environment) {
    /** @private */
    this.area = area;
    /** @private */
    this.prefix = prefixOf(account);
    /** @private */
    this.environment = environment;
    /** @private */
    this.last = 0; // ms, of the last nonce
    /** @private @type {Map<string, Pending>} */
    this.entries = new Map();
    this.load();
  }

  /** All, in the order in which they were written. */
  get all() {
    return [...this.entries.values()].sort((one, other) => one.nonce < other.nonce ? -1 : 1);
  }

  get waiting() {
    return this.all.filter((entry) => entry.state === 'waiting');
  }

  /** @param {string} target */
  of(target) {
    return this.all.filter((entry) => entry.target === target);
  }

  /** @param {string} nonce */
  get(nonce) {
    return this.entries.get(nonce);
  }

  /**
   * The account is called so from now on, if it was not; what the storage has was taken along.
   * @param {string} account
   */
  moveTo(account) {
    if (this.prefix === prefixOf(account)) return;
    this.prefix = prefixOf(account);
    for (const entry of this.all) this.put(entry); // those that the storage did not hold
  }

  /** Reads what the storage has, also from other tabs. */
  load() {
    const keys = Array.from({ length: this.area.length }, (_, index) => this.area.key(index));
    for (const key of keys) {
      if (!key?.startsWith(this.prefix)) continue;
      const entry = parse(this.area.getItem(key));
      if (entry && key === this.prefix + entry.nonce) this.learn(entry);
      else this.area.removeItem(key);
    }
  }

  /**
   * Another tab has changed the storage. The target of the text that it concerns, or empty.
   * @param {string | null} key
   * @param {string | null} value
   */
  hear(key, value) {
    if (!key?.startsWith(this.prefix)) return '';
    const nonce = key.slice(this.prefix.length);
    const entry = parse(value);
    const target = entry?.target ?? this.entries.get(nonce)?.target ?? '';
    if (entry) this.learn(entry);
    else this.entries.delete(nonce);
    return target;
  }

  /**
   * A text of another tab, or of an earlier page. What is written from now on comes behind it, even if the clock was set
   * back meanwhile.
   * @private
   * @param {Pending} entry
   */
  learn(entry) {
    this.entries.set(entry.nonce, entry);
    this.last = Math.max(this.last, parseInt(entry.nonce, 36) || 0);
  }

  /**
   * Takes a text. Gives a Refusal where too many wait.
   * @param {Pick<Pending, 'target' | 'created' | 'text' | 'kind'>} text
   * @returns {Refusal | null}
   */
  add(text) {
    if (this.entries.size >= MOST) return new Refusal(words.tooManyWait, 'too_many');
    const now = this.environment.now();
    this.last = Math.max(this.last + 1, now); // the order of nonces is that of texts
    const nonce = `${this.last.toString(36).padStart(9, '0')}-${this.environment.digits()}`;
    this.put({ ...text, nonce, time: new Date(now).toISOString(), state: 'waiting', error: '' });
    return null;
  }

  /**
   * @param {string} nonce
   * @param {string} error
   */
  fail(nonce, error) {
    const entry = this.entries.get(nonce);
    if (entry) this.put({ ...entry, state: 'failed', error });
  }

  /**
   * A refused text waits again, for the room that was made at `created`. Nothing was stored of it, so that its nonce is
   * free.
   * @param {string} nonce
   * @param {string} created
   */
  again(nonce, created) {
    const entry = this.entries.get(nonce);
    if (entry) this.put({ ...entry, created, state: 'waiting', error: '' });
  }

  /** @param {string} nonce */
  remove(nonce) {
    this.entries.delete(nonce);
    this.area.removeItem(this.prefix + nonce);
  }

  /**
   * A talk is with somebody of another name now.
   * @param {string} from a target
   * @param {string} to
   */
  rename(from, to) {
    for (const entry of this.of(from)) this.put({ ...entry, target: to });
  }

  /**
   * @private
   * @param {Pending} entry
   */
  put(entry) {
    this.entries.set(entry.nonce, entry);
    try {
      this.area.setItem(this.prefix + entry.nonce, JSON.stringify(entry));
    } catch { // the storage is full: it is kept as long as the page is
    }
  }
}

/** @param {string} account */
function prefixOf(account) {
  return `chat:outbox:${account}:`;
}

/**
 * @param {string | null} value
 * @returns {Pending | null}
 */
function parse(value) {
  try {
    const entry = JSON.parse(value ?? '');
    return FIELDS.every((field) => typeof entry?.[field] === 'string') ? entry : null;
  } catch {
    return null;
  }
}
